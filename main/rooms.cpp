#include "main/rooms.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <random>
#include <utility>

#include "actors/cluster_gateway/cluster_gateway_actor.hpp"
#include "actors/control_gateway/control_gateway_actor.hpp"
#include "actors/kernel_gateway/kernel_gateway_actor.hpp"
#include "actors/log_device/log_device_actor.hpp"
#include "actors/mirror_log/mirror_log_actor.hpp"
#include "actors/status/status_actor.hpp"
#include "actors/supervisor/supervisor_actor.hpp"
#include "adapters/event_loop/event_loop.hpp"
#include "messages/wire_state_file.hpp"

namespace cmirror {
namespace {

/// Different in every run: what is made of it must never be taken for that of another daemon or an earlier one.
std::uint64_t random_seed() {
    std::random_device source;
    return (std::uint64_t{source()} << 32U) | source();
}

/// What an earlier daemon left of this instance, or of another one with its luid: the log tells them apart.
std::optional<KeptState> kept_state(Resources& resources, const Uuid& uuid, Luid luid) {
    const auto bytes = resources.states->read(luid);
    if (!bytes) return std::nullopt;
    auto kept = unpack_state_file(*bytes);
    if (kept) return std::move(*kept);
    resources.sink->write(LogLevel::warning, "log " + std::string(uuid.text()) + ": its state file cannot be used: " +
                                                 std::string(name_of(kept.error())));
    return std::nullopt;
}

constexpr ProgramVersion own_version{CMIRROR_VERSION_NUMBER};

MirrorLogFactory log_factory(caf::actor_system& system, Resources& resources, const MirrorLogConfig& common) {
    return [&system, &resources, common](const Uuid& uuid, Luid luid) {
        auto config = common;
        config.log.uuid = uuid;
        config.log.luid = luid;
        config.log.boot = resources.boot;
        config.log.version = own_version;
        config.log.seed = random_seed();
        config.log.settings.fenced_after = resources.fenced_after;
        config.log.kept = kept_state(resources, uuid, luid);
        return system.spawn(mirror_log_actor, std::move(config));
    };
}

Rooms open_rooms(caf::actor_system& system, Resources& resources, SupervisorActor supervisor,
                 const SupervisorLimits& limits) {
    FdWatcher& watcher = EventLoop::of(system);
    Rooms rooms;
    rooms.kernel_gateway = system.spawn(kernel_gateway, KernelGatewayConfig{.socket = resources.kernel.get(),
                                                                            .watcher = &watcher,
                                                                            .sink = resources.sink.get(),
                                                                            .supervisor = supervisor,
                                                                            .routes_max = limits.logs_max,
                                                                            .recorder = resources.recorder,
                                                                            .journal = resources.journal.get()});
    rooms.cluster_gateway = system.spawn(
        cluster_gateway,
        ClusterGatewayConfig{
            .provider = resources.cluster.get(), .watcher = &watcher, .sink = resources.sink.get(), .limits = {}});
    if (resources.control != nullptr)
        rooms.control_gateway = system.spawn(control_gateway, ControlGatewayConfig{.socket = resources.control.get(),
                                                                                   .watcher = &watcher,
                                                                                   .sink = resources.sink.get(),
                                                                                   .supervisor = supervisor,
                                                                                   .recorder = resources.recorder});
    rooms.status = system.spawn(status, StatusConfig{.sink = resources.sink.get(),
                                                     .kernel_gateway = rooms.kernel_gateway,
                                                     .cluster_gateway = rooms.cluster_gateway,
                                                     .daemon = resources.identity});
    MirrorLogConfig common;
    common.kernel_gateway = rooms.kernel_gateway;
    common.cluster_gateway = rooms.cluster_gateway;
    common.supervisor = std::move(supervisor);
    common.states = resources.states.get();
    common.sink = resources.sink.get();
    common.make_log_device = [&system, &resources](const std::string& device, MirrorLogActor log) {
        LogDeviceConfig config{.provider = resources.devices.get(), .sink = resources.sink.get(), .device = device};
        return spawn_log_device(system, LogDeviceThread::own, std::move(config), std::move(log));
    };
    rooms.make_log = log_factory(system, resources, common);
    return rooms;
}

}  // namespace

void run_rooms(Resources& resources, const std::function<void()>& ready) {
    caf::actor_system_config config;
    config.load<EventLoop>();
    caf::actor_system system{config};
    SupervisorConfig rooms;
    rooms.signals = resources.signals.get();
    rooms.watcher = &EventLoop::of(system);
    rooms.sink = resources.sink.get();
    rooms.manager = resources.manager.get();
    rooms.open_rooms = [&system, &resources, limits = rooms.limits](SupervisorActor self) {
        return open_rooms(system, resources, std::move(self), limits);
    };
    system.spawn(supervisor, std::move(rooms));
    ready();
    // The system's end waits for the end of all actors.
}

}  // namespace cmirror
