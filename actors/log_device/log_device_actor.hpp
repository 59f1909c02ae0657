// The shell of a log device: does one call after the other and tells its log how it went.
// The calls block: the daemon spawns it in a thread of its own, a simulation does not.
#pragma once

#include <caf/actor_addr.hpp>
#include <caf/fwd.hpp>
#include <optional>
#include <string>

#include "actors/log_device/log_device_core.hpp"
#include "messages/interfaces.hpp"

namespace cmirror {

struct LogDeviceConfig {
    /// Both outlive the actor system.
    BlockDeviceProvider* provider = nullptr;
    LogSink* sink = nullptr;
    /// `major:minor` or a path.
    std::string device;
};

struct LogDeviceState {
    static constexpr const char* name = "log_device";

    std::optional<LogDeviceCore> core;
    /// Weak: a device that is still at work must not keep its log alive.
    caf::actor_addr log;
};

/// Answers `log`, and ends when `log` does.
LogDeviceActor::behavior_type log_device(LogDeviceActor::stateful_pointer<LogDeviceState> self,
                                         const LogDeviceConfig& config, const MirrorLogActor& log);

enum class LogDeviceThread : std::uint8_t { own, shared };

/// Spawns one: in a thread of its own in the daemon, on the shared ones where runs must repeat.
LogDeviceActor spawn_log_device(caf::actor_system& system, LogDeviceThread thread, LogDeviceConfig config,
                                MirrorLogActor log);

}  // namespace cmirror
