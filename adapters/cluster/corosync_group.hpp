// One connection to corosync's group messaging.
#pragma once

#include <corosync/cpg.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "messages/ports.hpp"

namespace cmirror {

class CorosyncGroup final : public GroupConnection {
  public:
    /// Connects; the text of a failure says what to do.
    static Result<std::unique_ptr<CorosyncGroup>, std::string> open();
    /// The other members see us leave for the reason process_down, unless leave() came first.
    ~CorosyncGroup() override;

    int descriptor() const override { return descriptor_; }
    ClusterCall join(const Uuid& group) override;
    ClusterCall leave() override;
    ClusterCall multicast(std::span<const std::byte> frame) override;
    ClusterCall dispatch(GroupEvents& events, std::size_t events_max, bool& more) override;

    NodeId local_node() const { return self_.node; }
    /// The largest frame that corosync sends in one piece, in bytes.
    std::uint32_t frame_size_max() const { return frame_size_max_; }

  private:
    CorosyncGroup() = default;

    /// Connects; CS_OK or what failed.
    cs_error_t connect();
    static CorosyncGroup* of(cpg_handle_t handle);
    static void on_deliver(cpg_handle_t handle, const cpg_name* group, std::uint32_t node, std::uint32_t process,
                           void* bytes, std::size_t size);
    static void on_change(cpg_handle_t handle, const cpg_name* group, const cpg_address* members,
                          std::size_t member_count, const cpg_address* left, std::size_t left_count,
                          const cpg_address* joined, std::size_t joined_count);

    cpg_handle_t handle_ = 0;
    bool connected_ = false;
    int descriptor_ = -1;
    MemberId self_;
    std::uint32_t frame_size_max_ = 0;
    /// What was joined, and whether it was left.
    std::optional<cpg_name> group_;
    bool left_ = false;
    /// Who gets what is dispatched, while dispatch() runs.
    GroupEvents* events_ = nullptr;
};

}  // namespace cmirror
