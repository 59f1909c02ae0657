// The shell of the cluster gateway: makes the core's calls on corosync's connections and passes on what they bring.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "actors/cluster_gateway/cluster_gateway_core.hpp"
#include "messages/interfaces.hpp"

namespace cmirror {

struct ClusterGatewayConfig {
    /// All three outlive the actor system.
    ClusterProvider* provider = nullptr;
    FdWatcher* watcher = nullptr;
    LogSink* sink = nullptr;
    SendQueueLimits limits;
};

struct ClusterGatewayState {
    static constexpr const char* name = "cluster_gateway";

    ClusterGatewayConfig config;
    std::optional<ClusterGatewayCore> core;
    ClusterGatewayCore::Effects effects;
    std::unique_ptr<QuorumConnection> quorum;
    std::map<JoinId, std::unique_ptr<GroupConnection>> groups;
    std::unordered_map<int, JoinId> join_of_descriptor;
    /// Logs with a join.
    std::unordered_map<LogId, MirrorLogActor> logs;
    /// The TimerDue that is under way is due then.
    std::optional<TimePoint> timer;
};

/// Connects to corosync at its start and ends at Shutdown.
ClusterGatewayActor::behavior_type cluster_gateway(ClusterGatewayActor::stateful_pointer<ClusterGatewayState> self,
                                                   ClusterGatewayConfig config);

}  // namespace cmirror
