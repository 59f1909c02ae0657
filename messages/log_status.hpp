// The state of one log as SIGUSR1 and the control socket report it. Filled by mirror_log, printed by status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "messages/identity.hpp"
#include "messages/latency_histogram.hpp"

namespace cmirror {

struct RecoveringRun {
    Owner owner;
    RegionNumber first = 0;
    std::uint64_t count = 0;

    friend bool operator==(const RecoveringRun&, const RecoveringRun&) = default;
};

struct MarksOfOwner {
    Owner owner;
    std::uint64_t count = 0;
    /// The first few marked regions, lowest first.
    std::vector<RegionNumber> sample;
    /// False: the daemon or node that spoke for it is away, its kernel may still write.
    bool present = true;
    /// Counts as having marked every region (its marks are not known).
    bool everything = false;

    friend bool operator==(const MarksOfOwner&, const MarksOfOwner&) = default;
};

struct MemberStatus {
    MemberId id;
    bool valid = false;
    bool server = false;
    bool legacy = false;
    /// Of its program, e.g. "1.0.0". Empty: a legacy member, or one that has not introduced itself yet.
    std::string version{};

    friend bool operator==(const MemberStatus&, const MemberStatus&) = default;
};

struct DeviceStatus {
    std::string name;
    bool failed = false;
    std::string last_error;
    std::uint64_t writes = 0;
    std::uint64_t bytes_written = 0;

    friend bool operator==(const DeviceStatus&, const DeviceStatus&) = default;
};

/// Begun, and not answered yet.
struct WaitingRequest {
    Luid luid = 0;
    std::uint32_t seq = 0;
    std::uint64_t waited_ms = 0;

    friend bool operator==(const WaitingRequest&, const WaitingRequest&) = default;
};

struct PendingRequest {
    std::uint32_t seq = 0;
    std::string type;
    /// Since the kernel asked; 0: not known.
    std::uint64_t waited_ms = 0;

    friend bool operator==(const PendingRequest&, const PendingRequest&) = default;
};

struct LogStatus {
    Uuid uuid;
    Luid luid = 0;
    /// A name of the life cycle table, e.g. "active".
    std::string state;
    std::string log_type;
    std::uint64_t region_size_sectors = 0;
    std::uint64_t region_count = 0;
    std::uint64_t sync_count = 0;
    std::uint64_t dirty_count = 0;
    RegionNumber in_sync_hint = 0;
    bool quorate = false;
    /// Members whose word is waited for: how they stood when partitions merge, or the state.
    std::vector<MemberId> awaited;
    /// A full resync has ended with regions that fell out of sync since: suspend and resume on one node recovers them.
    bool refresh_due = false;
    /// Regions a second that came in sync lately, by all members; 0: none, or not known yet.
    double sync_rate = 0;
    /// The worst that is in each of up to 128 equal stretches of the mirror: 'c' clean, 'd' dirty, 'o' out of sync, 'f'
    /// fell out of sync since it was in sync, 'r' being recovered.
    std::string region_map;
    std::vector<RecoveringRun> recovering;
    std::vector<MarksOfOwner> marks;
    std::vector<MemberStatus> members;
    std::optional<DeviceStatus> device;
    std::vector<PendingRequest> pending;
    std::uint64_t requests = 0;
    std::uint64_t bad_requests = 0;
    std::uint64_t rounds = 0;
    /// Regions that were marked before the kernel asked for it.
    std::uint64_t marked_ahead = 0;
    /// From a multicast of this node's ops to their delivery.
    LatencyHistogram round_time;
    /// Regions that this node's kernel has recovered.
    std::uint64_t recovered_here = 0;
    /// Events that the state has seen, and the digest of what they did: equal on all members.
    std::uint64_t state_ordinal = 0;
    std::uint64_t state_digest = 0;

    friend bool operator==(const LogStatus&, const LogStatus&) = default;
};

/// What a gateway or the supervisor adds to a snapshot: a heading and `name=value` counters.
struct ActorStatus {
    std::string heading;
    std::vector<std::pair<std::string, std::string>> fields = {};
    /// What took how long, by name.
    std::vector<std::pair<std::string, LatencyHistogram>> times = {};
    /// For the logs' parts, which know what is waited for but not since when: no part of the JSON.
    std::vector<WaitingRequest> waiting = {};

    friend bool operator==(const ActorStatus&, const ActorStatus&) = default;
};

}  // namespace cmirror
