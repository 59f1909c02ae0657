// The journal of unanswered requests, in a file that is mapped into memory.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "messages/identity.hpp"
#include "messages/ports.hpp"
#include "messages/result.hpp"

namespace cmirror {

/// A request costs a store or two. On a file system in memory: nothing waits for a device.
class MappedRequestJournal final : public RequestJournal {
  public:
    static constexpr const char* file_name = "requests";
    /// Requests of a socket that was closed with its daemon: more than the kernel has tasks that wait.
    static constexpr std::uint32_t unread_max = 1024;

    /// The file in `folder`, which is ours alone (see FolderStateStore); one of another boot or of another form is
    /// started anew, a link or another kind of file is an error.
    static Result<std::unique_ptr<MappedRequestJournal>, std::string> open(const std::string& folder,
                                                                           const BootId& boot);
    ~MappedRequestJournal() override;

    void received(std::uint32_t seq) noexcept override;
    void answered(std::uint32_t seq) noexcept override;
    std::vector<std::uint32_t> take_unanswered() override;

  private:
    /// Requests that wait at once, more or less: of more, some are left to the kernel's 15 s.
    static constexpr std::uint32_t slot_count = 1U << 14U;
    /// Slots that a request may be in, from its number on.
    static constexpr std::uint32_t probes_max = 8;

    struct Slot {
        std::uint32_t used;
        std::uint32_t seq;
    };
    struct Image {
        std::array<char, 8> magic;
        BootId boot;
        /// The latest request that was received, if there was one.
        Slot latest;
        std::array<Slot, slot_count> slots;
    };

    explicit MappedRequestJournal(Image* image) : image_(image) {}
    Slot& slot_of(std::uint32_t seq, std::uint32_t probe) { return image_->slots[(seq + probe) % slot_count]; }

    Image* image_;
};

}  // namespace cmirror
