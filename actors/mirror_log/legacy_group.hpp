// What the replicated state knows of legacy members (design.md, "Mixed clusters"). Empty while there are none.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "actors/mirror_log/field_copy.hpp"
#include "messages/cluster_message.hpp"
#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// The instance of a legacy member: it never tells its own.
inline constexpr Luid legacy_luid = ~Luid{0};

/// Who a legacy checkpoint's dirty regions belong to: someone older than the member that took it.
inline constexpr Owner unknown_owner{0, legacy_luid};

/// A request of a legacy member that no server has answered yet, with the answer.
struct LegacyRequest {
    MemberId origin;
    /// Frames of the originator up to and with this one.
    std::uint64_t through = 0;
    /// Ready to be sent, but for the text of a STATUS_INFO.
    LegacyFrame response;

    friend bool operator==(const LegacyRequest&, const LegacyRequest&) = default;
};

struct LegacyGroup {
    /// More unanswered requests of all members are not remembered: they send them again.
    static constexpr std::size_t requests_max = 1024;

    enum class Mode : std::uint8_t {
        none,      ///< no legacy member: nothing below counts
        entering,  ///< nothing new is handed out until at most one region is out
        mixed      ///< one region in the whole cluster, by the field's algorithm
    };
    Mode mode = Mode::none;
    /// Counts legacy joins: members of ours say that they have told their marks since.
    std::uint64_t joins = 0;
    /// From `entering` on; sync and clean bits only from `mixed` on.
    std::optional<FieldCopy> copy;
    /// By joiner of unknown or legacy kind: the copy as of its join (while mixed).
    std::map<MemberId, LegacyCheckpoint> checkpoints;
    std::deque<LegacyRequest> requests;
    /// Whose GET_RESYNC_WORK waits for a legacy server's answer.
    std::optional<MemberId> undecided;
    /// Regions out of sync that legacy members believe in sync or clean. Not saved: it follows from the rest.
    std::set<RegionNumber> differing;
    /// Members that were there before the state was taken from a legacy checkpoint, and of whose marks nothing is
    /// known.
    std::vector<MemberId> older;
    /// Dirty regions of a legacy checkpoint: those of the older ones that may have them marked, a bit each.
    std::map<RegionNumber, std::uint64_t> suspects;
};

}  // namespace cmirror::mirror_log
