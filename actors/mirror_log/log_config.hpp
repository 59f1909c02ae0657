// What a log is made with.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "actors/mirror_log/effects.hpp"
#include "messages/identity.hpp"
#include "messages/kept_state.hpp"

namespace cmirror::mirror_log {

/// Bounds and times of a log; the defaults are design.md's.
struct Settings {
    std::size_t warm_marks_max = 1024;
    Instant warm_idle = std::chrono::seconds{5};
    /// Regions that are marked ahead of a stream of writes; an eighth of the warm marks at most.
    std::size_t marks_ahead_max = 128;
    /// How long GET_RESYNC_WORK waits for a region that only marks keep.
    Instant work_wait = std::chrono::seconds{5};
    /// A grant that the kernel does not ask for is given back after this time.
    Instant grant_idle = std::chrono::seconds{2};
    /// Clears and recovered regions are multicast after this time at the latest.
    Instant lazy_send = std::chrono::milliseconds{200};
    /// Regions that became clean are written to the log device after this time at the latest.
    Instant lazy_write = std::chrono::seconds{1};
    /// POSTSUSPEND waits this long for what is under way.
    Instant leave_wait = std::chrono::seconds{5};
    /// How long an older member that says nothing is waited for before a legacy member's checkpoint counts.
    Instant legacy_wait = std::chrono::seconds{5};
    /// How long a joiner waits for a word of our own protocol when all older members have spoken in the field's.
    Instant legacy_settle = std::chrono::seconds{1};
    /// Quorum that was lost counts again after this time: a partition that has healed shows by then.
    Instant quorum_settle = std::chrono::milliseconds{500};
    /// A view that still has a node which the group saw go counts again after this time: it was newer than the group's
    /// word, and no further one comes.
    Instant view_doubt = std::chrono::seconds{5};
    /// A server whose node was lost may have a write to the log device under way: its successor does not touch the
    /// device for so long. A write begins at most 1 s after it was decided on, and may take 2 s.
    Instant device_doubt = std::chrono::seconds{3};
    /// Whoever took the log device over writes it anew after this time, should a write of before have come later still.
    Instant device_rewrite = std::chrono::seconds{10};
    /// After a write that this daemon came to too late: by then it has heard whether it still serves the log.
    Instant write_again = std::chrono::seconds{1};
    /// Who went a moment after this node had left, and is not back after this time, had left in good order.
    Instant back_within = std::chrono::seconds{60};
    /// A node that the ring has lost for so long is certainly fenced; 0: never.
    Instant fenced_after{0};
    /// A state's digest is multicast when this time has passed and something has changed.
    Instant digest_every = std::chrono::seconds{60};
};

/// A timer that is so late was one of a daemon that was stopped: what became of the ring meanwhile, it hears next.
inline constexpr Instant stopped_when_late_by = std::chrono::seconds{1};

struct LogConfig {
    Uuid uuid;
    Luid luid = 0;
    BootId boot{};
    /// Seeds this instance's random numbers.
    std::uint64_t seed = 0;
    /// What an earlier daemon left in this luid's state file. Counts if it is this instance's and the kernel creates
    /// the log again; not for a first constructor.
    std::optional<KeptState> kept;
    Settings settings;
    /// Told to the other members.
    ProgramVersion version{};
};

}  // namespace cmirror::mirror_log
