// The kernel's table of a cluster mirror, taken apart and put together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cmirror::ctl {

/// `mirror userspace N UUID TYPE [LOG DEVICE] REGION [OPTION]... LEGS DEVICE OFFSET ... [FEATURES]`
/// (the kernel's Documentation/admin-guide/device-mapper/dm-log.rst).
struct MirrorTable {
    /// Names the log in the whole cluster.
    std::string log_uuid;
    /// Empty: the log is kept in the memory of the cluster alone.
    std::string log_device = {};
    std::uint64_t region_sectors = 0;
    /// Of the log: "sync", "nosync", "block_on_error".
    std::vector<std::string> options = {};
    std::vector<std::string> legs;
    bool handle_errors = true;

    friend bool operator==(const MirrorTable&, const MirrorTable&) = default;
};

/// What is behind the word "mirror". Offsets of legs are 0.
std::string table_text(const MirrorTable& table);
/// Nothing for a table of another kind, or one that makes no sense.
std::optional<MirrorTable> parse_table(std::string_view parameters);
/// From a mirror's status line behind the word "mirror": a letter a leg, 'A' for one that works. Empty if the line
/// makes no sense.
std::string leg_letters(std::string_view status);

}  // namespace cmirror::ctl
