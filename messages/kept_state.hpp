// What a daemon keeps of a log for its successor, should it die (design.md, rule 10).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "messages/identity.hpp"

namespace cmirror {

/// One bit a region, 64 regions a word.
using RegionWords = std::vector<std::uint64_t>;

/// Words of a map of `region_count` regions.
constexpr std::uint64_t region_words(std::uint64_t region_count) {
    return (region_count + 63) / 64;
}

/// Which instance of which mirror it belongs to: anything else is not to be believed.
struct KeptIdentity {
    Uuid uuid;
    Luid luid = 0;
    BootId boot{};
    std::uint64_t region_size_sectors = 0;
    std::uint64_t region_count = 0;

    friend bool operator==(const KeptIdentity&, const KeptIdentity&) = default;
};

/// What is no map.
struct KeptStanding {
    /// The kernel is past PRESUSPEND.
    bool presuspended = false;
    /// The kernel was reconnecting and its RESUME was not answered: should that be lost with the daemon, the request
    /// behind it has failed, and the kernel may have written a region to the primary leg alone (spec/kernel.md).
    bool reconnecting = false;
    /// The daemon had no word of what the kernel marked before: the marks are not all there are.
    bool marks_unknown = false;
    /// The kernel was told that a FLUSH failed: it clears regions without a word of a leg's failed write.
    bool log_failed = false;
    /// The region that the kernel was given to recover and has not reported on.
    std::optional<RegionNumber> copying;
    /// The ring in which this node was alone, with no marks but its own in the state: then the maps below tell all
    /// there is to know as long as that ring lives. 0: others may know more.
    std::uint64_t ring = 0;
    /// The kernel has drained its writes in a suspend: the marks outlasted that, and show no use of the instance.
    bool drained = false;

    friend bool operator==(const KeptStanding&, const KeptStanding&) = default;
};

struct KeptState {
    KeptIdentity identity;
    KeptStanding standing;
    /// Marked by the kernel and not cleared; warm marks are not among them.
    RegionWords live;
    RegionWords in_sync;
    /// Has been in sync since the log started.
    RegionWords reached;
};

/// Bytes that are to be written to a state file.
struct StatePatch {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;
};

/// What the instance of a uuid that was a member before left behind for the next one on this node.
struct LeftBehind {
    /// As its log saved it; empty: nothing.
    std::vector<std::byte> state;
    /// Nobody else had the state. Otherwise it counts for a moment only: for those who are found to be gone just then.
    bool last = true;
};

}  // namespace cmirror
