// What a seed decides before a run starts: how large everything is, how fast, and what goes wrong how often.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "tests/sim/event_queue.hpp"

namespace cmirror::sim {

/// Kinds of faults; each is on or off in a run, with a rate of its own (swarm testing).
enum class Fault : std::uint8_t {
    power_cut,           ///< one node
    power_cut_several,   ///< more than one, at the same moment
    power_cut_all,       ///< all nodes
    daemon_killed,       ///< started again later, its kernel lives on
    daemon_paused,       ///< neither runs nor dies for a while
    partition,           ///< merges again later
    corosync_restarted,  ///< on one node
    stalled,             ///< one node's corosync delivers nothing for a while
    try_again,           ///< CS_ERR_TRY_AGAIN for a while
    message_vanishes,    ///< accepted by corosync, never sent
    quorum_late,         ///< the quorum service lags behind the group
    request_twice,       ///< a kernel's request arrives twice
    request_lost,        ///< the daemon's receive buffer was full
    reply_lost,          ///< the kernel never sees the reply
    garbage,             ///< frames that no kernel sends
    leg_write_fails,     ///< a write to a leg other than the primary
    copy_fails,          ///< a recovery copy's write
    preflush_fails,      ///< the cache of a leg loses what was in flight
    state_lost,          ///< a daemon dies, and its state files with it
    state_damaged,       ///< a daemon dies, and its state files are not what it wrote
    state_unwritable,    ///< /run is full for a while
    device_write_fails,  ///< of the log device
    device_write_torn,   ///< a part of it is there, and it fails
    device_read_fails,   ///<
    device_away,         ///< for a while
    device_slow,         ///< for a while
    suspended,           ///< suspend and resume
    reloaded,            ///< a new table takes the old one's place
    removed,             ///< the mirror is removed on a node and created again
    load_abandoned,      ///< a table is loaded and forgotten without a DTR: its luid is free for others
};
inline constexpr std::size_t fault_count = static_cast<std::size_t>(Fault::load_abandoned) + 1;
std::string_view name_of(Fault fault);

struct Options {
    std::uint64_t seed = 1;
    unsigned nodes = 3;
    Instant length = 60s;
    bool trace = false;
    /// Nothing goes wrong.
    bool calm = false;
    /// The field's daemon runs on one node or more, but not on all.
    bool legacy = false;
    /// If not empty, no other kinds of faults.
    std::vector<std::string> only;
    /// Kinds of faults that are left out.
    std::vector<std::string> without;
};

struct MirrorProfile {
    std::uint64_t regions = 0;
    std::uint64_t slots = 1;
    std::size_t legs = 2;
    bool disk_log = false;
    bool nosync = false;
    /// MARKs travel with the FLUSH.
    bool integrated_flush = false;
};

struct Profile {
    std::vector<MirrorProfile> mirrors;
    mirror_log::Settings settings;
    /// Mean time between two faults of a kind; 0: never.
    std::array<Instant, fault_count> gap{};

    // Means of what takes time.
    Instant to_order{}, to_deliver{}, to_reply{}, leg_write{}, leg_read{}, copy{}, device{};
    /// Chance that a reply takes far longer than usual.
    double slow_reply = 0;

    // The load of one node and mirror.
    unsigned writers = 1, readers = 1;
    Instant think{};
    /// Share of writes that go to few regions.
    double hot = 0;
    std::uint64_t hot_regions = 1;
    double preflush = 0;
    /// Do writers go from one region to the next?
    bool sequential = false;
    /// Where the field's daemon is installed at first.
    std::set<NodeId> legacy_nodes;

    bool on(Fault fault) const { return gap[static_cast<std::size_t>(fault)] != Instant{}; }
    std::string describe() const;
};

Profile draw_profile(const Options& options);

}  // namespace cmirror::sim
