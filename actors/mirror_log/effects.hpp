// What the core of a mirror log wants done: its shell turns each into a message.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "messages/cluster_message.hpp"
#include "messages/disk_request.hpp"
#include "messages/kept_state.hpp"
#include "messages/kernel_request.hpp"
#include "messages/ports.hpp"

namespace cmirror::mirror_log {

/// A point in time, from any fixed origin; always given from outside.
using Instant = std::chrono::nanoseconds;

/// Join the group of this log's uuid.
struct JoinEffect {
    /// The kernel has shown that it has resumed this instance: no other one of the uuid is in use.
    bool in_use = false;
};
/// Leave it.
struct LeaveEffect {
    /// What the next instance of the uuid on this node is to inherit().
    LeftBehind left_behind;
};
/// Multicast to the group.
struct SendEffect {
    ClusterMessage message;
};
/// Open the log device.
struct OpenEffect {
    std::string device;
};
/// Read its header and map.
struct ReadEffect {
    std::uint64_t region_count = 0;
};
/// Write these blocks, durably; answered with the same number.
struct WriteEffect {
    std::uint64_t write = 0;
    DeviceBlocks blocks;
};
/// Write these bytes to the state file, before anything else of the same event: what is acknowledged must be in it.
struct KeepEffect {
    /// The file is begun anew, all zeros but for the patches, and takes the place of an older one when it is complete.
    bool begin = false;
    std::uint64_t file_size = 0;
    std::vector<StatePatch> patches;
};
/// Tell the administrator.
struct LineEffect {
    LogLevel level = LogLevel::info;
    std::string text;
    LogEvent event = LogEvent::none;
};
/// Call timer() at that time; an earlier wish that is still open is replaced.
struct WakeEffect {
    Instant at{};
};
/// This instance ends: nothing of it is left.
struct EndEffect {
    /// By a DTR: what its kernel still sends is late, and is answered with success; its state file goes.
    bool destroyed = false;
};

using Effect = std::variant<KernelReply, JoinEffect, LeaveEffect, SendEffect, OpenEffect, ReadEffect, WriteEffect,
                            KeepEffect, LineEffect, WakeEffect, EndEffect>;
using Effects = std::vector<Effect>;

}  // namespace cmirror::mirror_log
