// The shell of status: asks every actor for its part and logs the snapshot.
#pragma once

#include <optional>

#include "actors/status/status_core.hpp"
#include "messages/interfaces.hpp"

namespace cmirror {

struct StatusConfig {
    /// Outlives the actor system.
    LogSink* sink = nullptr;
    KernelGatewayActor kernel_gateway;
    ClusterGatewayActor cluster_gateway;
};

struct StatusState {
    static constexpr const char* name = "status";

    StatusConfig config;
    StatusCore core;
    /// What to gather once the present snapshot is done: the newest that was asked for meanwhile.
    std::optional<ReportStatus> next;
};

StatusActor::behavior_type status(StatusActor::stateful_pointer<StatusState> self, StatusConfig config);

}  // namespace cmirror
