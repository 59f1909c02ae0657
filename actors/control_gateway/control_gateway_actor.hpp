// The shell of the control gateway: requests in, to the supervisor, replies out.
#pragma once

#include <optional>

#include "actors/control_gateway/control_gateway_core.hpp"
#include "messages/interfaces.hpp"

namespace cmirror {

struct ControlGatewayConfig {
    /// All three outlive the actor system.
    ControlSocket* socket = nullptr;
    FdWatcher* watcher = nullptr;
    LogSink* sink = nullptr;
    SupervisorActor supervisor;
    /// Outlives the actor system, too; null: nothing is recorded.
    EventRecorder* recorder = nullptr;
};

struct ControlGatewayState {
    static constexpr const char* name = "control_gateway";

    ControlGatewayConfig config;
    ControlGatewayCore core;
    LogLines lines;
};

/// Watches the socket from its start until Shutdown.
ControlGatewayActor::behavior_type control_gateway(ControlGatewayActor::stateful_pointer<ControlGatewayState> self,
                                                   ControlGatewayConfig config);

}  // namespace cmirror
