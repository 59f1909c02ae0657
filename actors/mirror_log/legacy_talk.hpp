// What one member of ours says to legacy members, and waits for from them (design.md, "Mixed clusters"). Nothing of it
// is part of the replicated state.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "actors/mirror_log/effects.hpp"
#include "messages/kernel_request.hpp"
#include "messages/wire_cluster.hpp"

namespace cmirror::mirror_log {

struct LegacyTalk {
    /// Marks of others that are kept known to legacy members at most.
    static constexpr std::size_t shadows_max = 4096;
    /// Regions told to be out of sync in one go.
    static constexpr std::size_t corrections_max = 64;

    std::uint32_t next_seq = 1;
    /// LegacyGroup::joins when the marks of this node were told last.
    std::uint64_t told = 0;
    /// MARK, CLEAR, or SET_REGION_SYNC 0, in order, not multicast yet.
    struct Unsaid {
        RequestType type;
        RegionNumber region;
    };
    std::vector<Unsaid> unsaid;
    /// Frames multicast and not delivered back: type and seq. What is overtaken was lost.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> under_way;

    /// Something was marked that no FLUSH to a legacy server has covered.
    bool unflushed = false;
    /// corosync lost something that came before a FLUSH: its answer does not cover that.
    bool flush_again = false;
    /// The newest FLUSH to a legacy server, and the newest one that was answered.
    std::uint32_t flush_sent = 0;
    std::uint32_t flush_answered = 0;
    /// The GET_RESYNC_WORK that is under way.
    bool work_asked = false;
    /// The legacy member that served last.
    std::optional<MemberId> server;
    std::set<MemberId> checkpoints_sent;
    /// Requests answered whose response was not delivered yet.
    std::set<std::pair<MemberId, std::uint32_t>> answered;
    /// Regions whose SET_REGION_SYNC is under way.
    std::set<RegionNumber> corrections;
    /// Regions that a legacy member or an absent one has marked, marked again in our name: legacy members that came
    /// later know nothing of it, and who knows what they make of marks of one that is gone.
    std::set<RegionNumber> shadows;
    /// The members when these were looked for last.
    std::vector<MemberId> shadowed_members;

    // -- while joining ---------------------------------------------------------------------------------
    /// Members that were there at our join.
    std::vector<MemberId> at_join;
    std::set<MemberId> legacy_heard;
    std::set<MemberId> ours_heard;
    /// What came for us, of the lowest sender: a legacy server's word counts where copies differ.
    std::optional<LegacyCheckpoint> checkpoint;
    MemberId checkpoint_sender;
    /// Every event since our join is still there to be applied to it.
    bool backlog_whole = true;
    /// When members that have said nothing in our protocol count as legacy.
    std::optional<Instant> due;
};

}  // namespace cmirror::mirror_log
