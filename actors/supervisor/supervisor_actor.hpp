// The shell of the supervisor: spawns and monitors logs, reads signals, shuts the rooms down.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "actors/supervisor/supervisor_core.hpp"
#include "messages/interfaces.hpp"

namespace cmirror {

/// Spawns the log of one instance.
using MirrorLogFactory = std::function<MirrorLogActor(const Uuid&, Luid)>;

/// The actors that the supervisor works with and ends.
struct Rooms {
    KernelGatewayActor kernel_gateway;
    ClusterGatewayActor cluster_gateway;
    ControlGatewayActor control_gateway;
    StatusActor status;
    MirrorLogFactory make_log;
};

struct SupervisorConfig {
    /// All three outlive the actor system.
    SignalSource* signals = nullptr;
    FdWatcher* watcher = nullptr;
    LogSink* sink = nullptr;
    /// Outlives it, too; null: none is told.
    ServiceManager* manager = nullptr;
    /// Called once, at the start: gateways and logs need the supervisor's handle.
    std::function<Rooms(SupervisorActor)> open_rooms;
    SupervisorLimits limits;
};

struct SupervisorState {
    static constexpr const char* name = "supervisor";

    SupervisorConfig config;
    std::optional<SupervisorCore> core;
    Rooms rooms;
    /// Every log whose actor is there.
    std::map<InstanceId, MirrorLogActor> logs;
    /// How many the service manager knows of.
    std::size_t logs_told = 0;
    SupervisorCore::Effects effects;
};

/// Ends when a signal asks for it and no log exists.
SupervisorActor::behavior_type supervisor(SupervisorActor::stateful_pointer<SupervisorState> self,
                                          SupervisorConfig config);

}  // namespace cmirror
