// The disks of this machine, as cmirrorctl looks at them before it makes a mirror of them.
#pragma once

#include <cstdint>
#include <string>

#include "messages/ports.hpp"

namespace cmirror {

struct DiskFacts {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint64_t bytes = 0;
    /// Mounted, or held by another device.
    bool in_use = false;
    /// What it looks like: "ext4", "LVM2_member", "mirror log"; empty: nothing known.
    std::string contents = {};

    friend bool operator==(const DiskFacts&, const DiskFacts&) = default;
};

/// Calls block. An error's text names the device and says what is wrong.
class DiskInspector : public Port {
  public:
    virtual Result<DiskFacts, std::string> inspect(const std::string& path) = 0;
    /// A mirror log on the device is none afterwards.
    virtual Result<void, std::string> wipe_log(const std::string& path) = 0;
};

}  // namespace cmirror
