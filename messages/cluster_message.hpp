// What the members of a log's group multicast, as plain values (design.md, "The replicated log"; spec/cluster-v5.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "messages/identity.hpp"

namespace cmirror {

/// Names one join of one member, so that nothing of an earlier join is taken for one of this. Random, never 0.
using JoinToken = std::uint64_t;

/// Why a member joined or left, as corosync gives it (CPG_REASON_*).
enum class ChangeReason : std::uint8_t { join = 1, leave = 2, node_down = 3, node_up = 4, process_down = 5 };

struct MemberChange {
    MemberId member;
    ChangeReason reason = ChangeReason::join;

    friend bool operator==(const MemberChange&, const MemberChange&) = default;
};

/// One configuration change of the group, with all its entries.
struct Membership {
    /// Who we are in it.
    MemberId self;
    std::vector<MemberId> members;
    std::vector<MemberChange> left;
    std::vector<MemberChange> joined;
};

/// One step that every valid member applies, in delivery order, to the same state.
enum class OpKind : std::uint8_t {
    mark = 1,             ///< the sender's instance marks the regions
    clear = 2,            ///< it gives those marks up
    recovered = 3,        ///< SET_REGION_SYNC 1: counts only under a grant that the sender holds
    failed = 4,           ///< SET_REGION_SYNC 0: a leg failed
    want_work = 5,        ///< asks for a run of at most `count` regions to recover
    release = 6,          ///< gives granted, not started regions back
    prioritise = 7,       ///< the regions are waited for: recover them first
    presuspend = 8,       ///< the instance recovers no more: its grants return
    postsuspend = 9,      ///< the instance leaves: marks it still holds become out of sync
    marked_unknown = 10,  ///< may have marked any region; `region` 1: before this state knew it;
                          ///< `count` marks_said: all was said, none is unknown any more
    not_clean = 11,       ///< the log device says otherwise: a take-over's merge
    node_gone = 12,       ///< proof that the node `region` is gone: its marks become "writer died"
    resumed = 13,         ///< the instance was really resumed: its failed recoveries may be tried again
    confirm = 14,         ///< nothing but the wish to have all before it confirmed
    withdraw = 15,        ///< takes a want_work back that has got no region yet
    copying = 16,  ///< the sender's kernel still copies the region, whatever the state says: it is out of sync, granted
    written = 17,  ///< a mark of before that the joined state did not know: the region is out of sync, too
    legacy_told = 18,  ///< the sender has told its marks in the field's words since the legacy join number `region`
    device_free = 19,  ///< relieved as the server `region` times: the sender's writes to the log device have ended;
                       ///< `count` device_behind_state: the state knows all that it says
    reached = 20,      ///< the regions were in sync once, on a side that gave way
};

/// The `count` of marked_unknown behind the last mark that was unknown.
constexpr std::uint64_t marks_said = 2;

inline constexpr std::uint64_t device_behind_state = 2;

/// `region` and `count` name the regions region .. region + count - 1 where the kind speaks of regions.
struct Op {
    OpKind kind = OpKind::mark;
    RegionNumber region = 0;
    std::uint64_t count = 1;

    friend bool operator==(const Op&, const Op&) = default;
};

/// The first message of a member after its join.
struct Hello {
    JoinToken token = 0;
    BootId boot{};
    Luid luid = 0;
    std::uint64_t region_size_sectors = 0;
    std::uint64_t region_count = 0;
    bool disk_log = false;
    /// For people alone: nothing is decided by it.
    ProgramVersion version{};

    friend bool operator==(const Hello&, const Hello&) = default;
};

/// Ops `first_seq`, `first_seq` + 1, ... of one join; no number is ever left out.
struct Ops {
    JoinToken token = 0;
    std::uint64_t first_seq = 0;
    Luid luid = 0;
    std::vector<Op> ops;

    friend bool operator==(const Ops&, const Ops&) = default;
};

/// The sender has applied (and as the server of a disk log made durable) all ops of that join below `next_seq`.
struct Confirmation {
    MemberId origin;
    JoinToken token = 0;
    std::uint64_t next_seq = 0;
    /// 0, or the negative errno with which the log device failed: ops from next_seq on are not durable.
    std::int32_t error = 0;

    friend bool operator==(const Confirmation&, const Confirmation&) = default;
};
struct Confirm {
    std::vector<Confirmation> confirmations;

    friend bool operator==(const Confirm&, const Confirm&) = default;
};

/// The point in the total order that the state in the following chunks of this sender describes.
struct StateBegin {
    std::uint64_t transfer = 0;

    friend bool operator==(const StateBegin&, const StateBegin&) = default;
};

/// One compressed part of a state.
struct StateChunk {
    std::uint64_t transfer = 0;
    /// The first of its pieces (state_piece_size); its size says how many there are.
    std::uint32_t index = 0;
    /// Pieces of the whole state.
    std::uint32_t count = 0;
    std::vector<std::byte> compressed;

    friend bool operator==(const StateChunk&, const StateChunk&) = default;
};

/// The sender has the state: from here on it counts as a valid member.
struct Valid {
    JoinToken token = 0;
    /// The join of whoever started that state: should all that had it be gone meanwhile, another one begins.
    JoinToken lineage = 0;

    friend bool operator==(const Valid&, const Valid&) = default;
};

/// How a member stood before partitions merged; the sides compare them, one side's state wins.
struct Standing {
    JoinToken token = 0;
    bool valid = false;
    /// The ring in which this member's state last had quorum; 0: in none.
    std::uint64_t quorate_ring = 0;
    /// Number of events this member's state has seen.
    std::uint64_t ordinal = 0;

    friend bool operator==(const Standing&, const Standing&) = default;
};

/// The sender, the server of its side, starts the state anew at this point of the order, of which it knows others'
/// marks: members that have that state or a part of it join again, and those that have none wait on for the new one.
struct Anew {
    JoinToken token = 0;

    friend bool operator==(const Anew&, const Anew&) = default;
};

/// The digest of the sender's state after `ordinal` events.
struct StateDigest {
    std::uint64_t ordinal = 0;
    std::uint64_t digest = 0;

    friend bool operator==(const StateDigest&, const StateDigest&) = default;
};

/// A frame of the field's protocol, version 5, that is not an extension frame.
struct LegacyFrame {
    NodeId originator = 0;
    std::uint32_t pit_server = 0;
    std::uint32_t version = 0;
    std::int32_t error = 0;
    std::uint32_t seq = 0;
    /// With 0x1000 set it is a response.
    std::uint32_t type = 0;
    std::vector<std::byte> data;

    friend bool operator==(const LegacyFrame&, const LegacyFrame&) = default;
};

using ClusterMessage =
    std::variant<Hello, Ops, Confirm, StateBegin, StateChunk, Valid, Standing, StateDigest, Anew, LegacyFrame>;

}  // namespace cmirror
