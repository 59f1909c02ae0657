// The shell of a mirror log: messages in, events to the core; the core's effects out, as messages.
#pragma once

#include <caf/actor_clock.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/interfaces.hpp"

namespace cmirror {

/// What a log works with.
struct MirrorLogConfig {
    mirror_log::LogConfig log;
    KernelGatewayActor kernel_gateway;
    ClusterGatewayActor cluster_gateway;
    SupervisorActor supervisor;
    /// Makes the actor that works on the named log device for the log.
    std::function<LogDeviceActor(const std::string& device, MirrorLogActor log)> make_log_device;
    /// Both outlive the actor system.
    StateStore* states = nullptr;
    LogSink* sink = nullptr;
};

struct MirrorLogState {
    static constexpr const char* name = "mirror_log";

    MirrorLogConfig config;
    std::optional<mirror_log::MirrorLogCore> core;
    mirror_log::Effects effects;
    /// The system's; asking an actor for it takes longer than to read it.
    caf::actor_clock* clock = nullptr;
    LogDeviceActor device;
    /// None before the first resume, and after it failed.
    std::unique_ptr<StateFile> state_file;
    /// The TimerDue that counts is due then; earlier ones that come late are ignored.
    std::optional<mirror_log::Instant> timer;
};

/// Ends when its instance is destroyed, and tells the supervisor.
MirrorLogActor::behavior_type mirror_log_actor(MirrorLogActor::stateful_pointer<MirrorLogState> self,
                                               MirrorLogConfig config);

}  // namespace cmirror
