// The shell of status: asks every actor for its part, logs the snapshot or answers with it.
#pragma once

#include <caf/typed_response_promise.hpp>
#include <optional>
#include <vector>

#include "actors/status/status_core.hpp"
#include "messages/interfaces.hpp"

namespace cmirror {

struct StatusConfig {
    /// Outlives the actor system.
    LogSink* sink = nullptr;
    KernelGatewayActor kernel_gateway;
    ClusterGatewayActor cluster_gateway;
    DaemonIdentity daemon = {};
};

/// Who waits for a snapshot: they all get the same one.
struct StatusAudience {
    bool log = false;
    std::vector<caf::typed_response_promise<StatusSnapshot>> askers;
};

struct StatusState {
    static constexpr const char* name = "status";

    StatusConfig config;
    StatusCore core;
    StatusAudience audience;
    /// What to gather once the present snapshot is done, the newest that was asked for meanwhile, and for whom.
    std::optional<StatusOrder> next;
    StatusAudience next_audience;
};

StatusActor::behavior_type status(StatusActor::stateful_pointer<StatusState> self, StatusConfig config);

}  // namespace cmirror
