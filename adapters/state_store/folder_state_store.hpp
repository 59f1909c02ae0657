// State files in a folder of a file system in memory.
#pragma once

#include <string>

#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// Only the owner of the folder can read or write what is in it; no link is followed.
class FolderStateStore final : public StateStore {
  public:
    static constexpr const char* default_path = "/run/cmirrord";
    /// A file that is larger is not read: 2^32 regions have 1.7 GB.
    static constexpr std::uint64_t file_size_max = std::uint64_t{1} << 31U;

    /// Makes the folder (0700) if it is not there. Refuses one that is somebody else's or that others can enter. An
    /// error's text says what to do.
    static Result<std::unique_ptr<FolderStateStore>, std::string> open(const std::string& path);

    Result<std::unique_ptr<StateFile>, std::string> begin(Luid luid, std::uint64_t size,
                                                          std::span<const StatePatch> patches) override;
    std::optional<std::vector<std::byte>> read(Luid luid) override;
    void remove(Luid luid) override;

  private:
    explicit FolderStateStore(UniqueFd folder) : folder_(std::move(folder)) {}

    UniqueFd folder_;
};

}  // namespace cmirror
