// Every typed actor interface, one comment a message.
#pragma once

#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "messages/cluster_message.hpp"
#include "messages/control_request.hpp"
#include "messages/disk_request.hpp"
#include "messages/fd_watcher.hpp"
#include "messages/identity.hpp"
#include "messages/kept_state.hpp"
#include "messages/kernel_request.hpp"
#include "messages/log_status.hpp"
#include "messages/ports.hpp"
#include "messages/result.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror {

// -- messages that are more than the values of the other headers ------------------------------------

/// A message of the group, in the total order.
struct Delivered {
    MemberId sender;
    std::shared_ptr<const ClusterMessage> message;
};
/// Whether the cluster has quorum, confirmed for the current ring.
struct QuorumChanged {
    bool quorate = false;
    std::uint64_t ring = 0;
    std::vector<NodeId> nodes;
};
/// This join is over: corosync is gone, or takes no more messages. The group is joined again without being asked as
/// soon as that is possible; what was multicast and not delivered before this is not sent again.
struct ClusterLost {};
/// The kernel uses another instance of this uuid on this node, so this one is past its POSTSUSPEND.
struct Superseded {};
/// Be a member of the group; membership and messages go to `log`. One instance of a node is a member: one that is in
/// use supersedes the others, and is what one of which that is not known gives way to.
template <class Log>
struct BasicJoinGroup {
    Uuid group;
    Log log;
    /// The kernel has shown that it has resumed this instance; may be said later with another JoinGroup.
    bool in_use = false;
};
/// Leave it, once all earlier Multicasts are out. The log hears nothing more of this join but one membership without
/// us, which completes the leave (also when corosync is lost meanwhile); a later join waits for that.
struct LeaveGroup {
    Uuid group;
    Luid luid = 0;
    /// Kept for the next instance that joins, if there is any.
    LeftBehind left_behind;
};
/// Send to all members, ourselves included, in order with all other Multicasts of this log.
struct Multicast {
    Uuid group;
    ClusterMessage message;
};

/// Open the device named at construction.
struct OpenDevice {};
struct DeviceOpened {
    Result<std::uint64_t, DeviceError> size_bytes;
};
/// Read the header and the map of at most `region_count` regions.
struct ReadDevice {
    std::uint64_t region_count = 0;
};
struct DeviceRead {
    Result<DeviceImage, DeviceError> image;
};
/// Write the blocks durably; writes are carried out in order. One that is not begun by then (the steady clock's time)
/// is answered with `write_too_late` and changes nothing: this process may have been stopped meanwhile, and another
/// node may have taken the device over.
struct WriteDevice {
    std::uint64_t write = 0;
    DeviceBlocks blocks;
    std::chrono::nanoseconds begin_by = std::chrono::nanoseconds::max();
};
struct DeviceWritten {
    std::uint64_t write = 0;
    Result<void, DeviceError> outcome;
};

/// The kernel forgot this instance (its DTR was lost): leave the group and end, answer nobody.
struct Abandon {};
/// The time that a log asked to be woken at has come.
struct TimerDue {};
/// The log `luid` has ended, or has nothing more to tell its kernel.
struct LogEnded {
    Uuid uuid;
    Luid luid = 0;
    /// The kernel destroyed the instance (DTR was answered): what it still sends for it is late and is answered with
    /// success. False: it is unknown from now on and the kernel may create it again.
    bool destroyed = false;
};
/// Requests for `luid` go to `log` from now on.
template <class Log>
struct BasicRouteAdded {
    Uuid uuid;
    Luid luid = 0;
    Log log;
};
/// Requests for `luid` go to the supervisor again.
struct RouteRemoved {
    Luid luid = 0;
};
/// A part of a status snapshot is asked for.
struct StatusQuery {};
/// Whom a snapshot is gathered from, and what the supervisor adds.
template <class Log>
struct BasicStatusOrder {
    std::vector<Log> logs;
    ActorStatus supervisor;
};
/// Gather a snapshot and log it.
template <class Log>
struct BasicReportStatus {
    BasicStatusOrder<Log> order;
};
/// Gather a snapshot and answer with it.
template <class Log>
struct BasicGatherStatus {
    BasicStatusOrder<Log> order;
};
/// Stop: no log exists any more.
struct Shutdown {};

// -- interfaces --------------------------------------------------------------------------------------

/// One instance of a mirror log; owns its bit maps.
using MirrorLogActor = caf::typed_actor<
    // A request of the kernel for this instance; answered to the kernel gateway, perhaps later.
    caf::reacts_to<KernelRequest>,
    // A message of the group.
    caf::reacts_to<Delivered>,
    // The group's members changed.
    caf::reacts_to<Membership>,
    // Quorum came or went.
    caf::reacts_to<QuorumChanged>,
    // corosync is gone.
    caf::reacts_to<ClusterLost>,
    // The kernel uses another instance.
    caf::reacts_to<LeftBehind>, caf::reacts_to<Superseded>,
    // The log device answers.
    caf::reacts_to<DeviceOpened>, caf::reacts_to<DeviceRead>, caf::reacts_to<DeviceWritten>,
    // The kernel forgot this instance.
    caf::reacts_to<Abandon>,
    // Proof that a node is gone.
    caf::reacts_to<NodeGone>,
    // Own timer.
    caf::reacts_to<TimerDue>,
    // Its part of a snapshot.
    caf::replies_to<StatusQuery>::with<LogStatus>>;

using JoinGroup = BasicJoinGroup<MirrorLogActor>;
using RouteAdded = BasicRouteAdded<MirrorLogActor>;
using StatusOrder = BasicStatusOrder<MirrorLogActor>;
using ReportStatus = BasicReportStatus<MirrorLogActor>;
using GatherStatus = BasicGatherStatus<MirrorLogActor>;

/// Does the blocking work on one log device; answers the log that it was made for.
using LogDeviceActor = caf::typed_actor<
    // Open, read, write: answered with DeviceOpened, DeviceRead, DeviceWritten.
    caf::reacts_to<OpenDevice>, caf::reacts_to<ReadDevice>, caf::reacts_to<WriteDevice>>;

/// Translates connector frames to requests and back.
using KernelGatewayActor = caf::typed_actor<
    // The kernel's socket is readable.
    caf::reacts_to<descriptor_ready_atom, int>,
    // Answer the kernel.
    caf::reacts_to<KernelReply>,
    // Which log answers for which luid.
    caf::reacts_to<RouteAdded>, caf::reacts_to<RouteRemoved>,
    // Stop watching the socket and end.
    caf::reacts_to<Shutdown>,
    // Its part of a snapshot.
    caf::replies_to<StatusQuery>::with<ActorStatus>>;

/// Translates CPG traffic to typed messages and back; keeps every wanted group joined.
using ClusterGatewayActor = caf::typed_actor<
    // A connection is readable.
    caf::reacts_to<descriptor_ready_atom, int>,
    // Join, leave, send.
    caf::reacts_to<JoinGroup>, caf::reacts_to<LeaveGroup>, caf::reacts_to<Multicast>,
    // Own timer: flow control is over, or another attempt to reach corosync is due.
    caf::reacts_to<TimerDue>,
    // Leave everything and end.
    caf::reacts_to<Shutdown>,
    // Its part of a snapshot.
    caf::replies_to<StatusQuery>::with<ActorStatus>>;

/// Translates what administrators ask to messages and back.
using ControlGatewayActor = caf::typed_actor<
    // The control socket is readable.
    caf::reacts_to<descriptor_ready_atom, int>,
    // Stop watching the socket and end.
    caf::reacts_to<Shutdown>,
    // Its part of a snapshot.
    caf::replies_to<StatusQuery>::with<ActorStatus>>;

/// Gathers what the actors contribute; one snapshot at a time, and those who ask meanwhile share the next one.
using StatusActor = caf::typed_actor<
    // Gather a snapshot and log it.
    caf::reacts_to<ReportStatus>,
    // Gather a snapshot and answer with it.
    caf::replies_to<GatherStatus>::with<StatusSnapshot>,
    // A part did not come in time.
    caf::reacts_to<TimerDue>,
    // End.
    caf::reacts_to<Shutdown>>;

/// Creates and watches logs, knows which are active, decides whether a signal to stop is honoured.
using SupervisorActor = caf::typed_actor<
    // A request that no route exists for: CTR, or an unknown log.
    caf::reacts_to<KernelRequest>,
    // A log has ended.
    caf::reacts_to<LogEnded>,
    // Proof that a node is gone, for every log; answered with how many there are.
    caf::replies_to<NodeGone>::with<ControlReply>,
    // A snapshot of the whole daemon.
    caf::replies_to<StatusRequest>::with<StatusSnapshot>,
    // Signals wait to be read.
    caf::reacts_to<descriptor_ready_atom, int>>;

}  // namespace cmirror

#define CMIRROR_LOCAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cmirror::type)
CMIRROR_LOCAL_MESSAGE(KernelRequest)
CMIRROR_LOCAL_MESSAGE(KernelReply)
CMIRROR_LOCAL_MESSAGE(Delivered)
CMIRROR_LOCAL_MESSAGE(Membership)
CMIRROR_LOCAL_MESSAGE(QuorumChanged)
CMIRROR_LOCAL_MESSAGE(ClusterLost)
CMIRROR_LOCAL_MESSAGE(LeftBehind)
CMIRROR_LOCAL_MESSAGE(Superseded)
CMIRROR_LOCAL_MESSAGE(JoinGroup)
CMIRROR_LOCAL_MESSAGE(LeaveGroup)
CMIRROR_LOCAL_MESSAGE(Multicast)
CMIRROR_LOCAL_MESSAGE(OpenDevice)
CMIRROR_LOCAL_MESSAGE(DeviceOpened)
CMIRROR_LOCAL_MESSAGE(ReadDevice)
CMIRROR_LOCAL_MESSAGE(DeviceRead)
CMIRROR_LOCAL_MESSAGE(WriteDevice)
CMIRROR_LOCAL_MESSAGE(DeviceWritten)
CMIRROR_LOCAL_MESSAGE(Abandon)
CMIRROR_LOCAL_MESSAGE(NodeGone)
CMIRROR_LOCAL_MESSAGE(ControlReply)
CMIRROR_LOCAL_MESSAGE(TimerDue)
CMIRROR_LOCAL_MESSAGE(LogEnded)
CMIRROR_LOCAL_MESSAGE(RouteAdded)
CMIRROR_LOCAL_MESSAGE(RouteRemoved)
CMIRROR_LOCAL_MESSAGE(StatusQuery)
CMIRROR_LOCAL_MESSAGE(ReportStatus)
CMIRROR_LOCAL_MESSAGE(GatherStatus)
CMIRROR_LOCAL_MESSAGE(StatusRequest)
CMIRROR_LOCAL_MESSAGE(StatusSnapshot)
CMIRROR_LOCAL_MESSAGE(Shutdown)
CMIRROR_LOCAL_MESSAGE(LogStatus)
CMIRROR_LOCAL_MESSAGE(ActorStatus)
