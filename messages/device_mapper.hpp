// The kernel's mapped devices, as cmirrorctl needs them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/ports.hpp"

namespace cmirror {

/// A mapped device whose table is one mirror with a log in user space.
struct MappedMirror {
    std::string name;
    /// The device's own uuid, not that of its log; may be empty.
    std::string uuid;
    std::uint64_t sectors = 0;
    /// The table behind the word "mirror".
    std::string parameters;
    bool suspended = false;
    /// Openers of the device, mounts and devices on top of it included.
    std::uint64_t open_count = 0;
    std::uint32_t major = 0;
    std::uint32_t minor = 0;

    friend bool operator==(const MappedMirror&, const MappedMirror&) = default;
};

/// Calls block. An error's text says what failed.
class DeviceMapper : public Port {
  public:
    /// All cluster mirrors of this node, by name.
    virtual Result<std::vector<MappedMirror>, std::string> mirrors() = 0;
    /// A mirror's status line behind the word "mirror". The kernel asks the daemon for it, and waits for the answer.
    virtual Result<std::string, std::string> status(const std::string& name) = 0;
    /// A new device with this table, active at once.
    virtual Result<void, std::string> create(const MappedMirror& mirror) = 0;
    /// Loads another table; resume() makes it the live one.
    virtual Result<void, std::string> load(const MappedMirror& mirror) = 0;
    /// New I/O waits for resume(), and so does what a failed leg holds up: it goes to the table that is live then.
    virtual Result<void, std::string> suspend(const std::string& name) = 0;
    virtual Result<void, std::string> resume(const std::string& name) = 0;
    virtual Result<void, std::string> remove(const std::string& name) = 0;
};

}  // namespace cmirror
