// Block devices, with libblkid's knowledge of what is on them.
#pragma once

#include "messages/disk_inspector.hpp"

namespace cmirror {

class LinuxDiskInspector final : public DiskInspector {
  public:
    Result<DiskFacts, std::string> inspect(const std::string& path) override;
    Result<void, std::string> wipe_log(const std::string& path) override;
};

}  // namespace cmirror
