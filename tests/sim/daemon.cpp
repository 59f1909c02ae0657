#include "tests/sim/daemon.hpp"

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/cluster_gateway/cluster_gateway_actor.hpp"
#include "actors/kernel_gateway/kernel_gateway_actor.hpp"
#include "actors/log_device/log_device_actor.hpp"
#include "actors/status/status_actor.hpp"
#include "messages/wire_state_file.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

template <class Actor>
Actor Daemon::own(Actor actor) {
    actors_.emplace(actor.id(), caf::actor_cast<caf::actor>(actor));
    return actor;
}

Daemon::Daemon(caf::actor_system& system, Node& node, std::uint32_t process)
    : system_(system),
      node_(node),
      process_(process),
      sink_(*this),
      socket_(node.world.descriptors),
      watcher_(node.world.descriptors),
      signals_(node.world.descriptors),
      cluster_(node.world.cluster.provider(node.id, process)) {
    SupervisorConfig config;
    config.signals = &signals_;
    config.watcher = &watcher_;
    config.sink = &sink_;
    config.open_rooms = [this](SupervisorActor self) { return open_rooms(std::move(self)); };
    supervisor_ = caf::actor_cast<caf::actor>(own(system_.spawn(supervisor, std::move(config))));
}

Daemon::~Daemon() {
    node_.world.cluster.lose_process({node_.id, process_});
    // The supervisor first: it would take the others' end for a failure.
    caf::anon_send_exit(supervisor_, caf::exit_reason::kill);
    node_.world.run_actors();
    for (auto& [id, actor] : actors_)
        caf::anon_send_exit(actor, caf::exit_reason::kill);
    watcher_.clear();
    node_.world.run_actors();
    actors_.clear();
    supervisor_ = nullptr;
}

void Daemon::line(LogLevel level, std::string_view text) {
    node_.world.line(node_, level, text);
}

Rooms Daemon::open_rooms(SupervisorActor supervisor) {
    Rooms rooms;
    rooms.kernel_gateway = own(system_.spawn(
        kernel_gateway,
        KernelGatewayConfig{.socket = &socket_, .watcher = &watcher_, .sink = &sink_, .supervisor = supervisor}));
    rooms.cluster_gateway = own(system_.spawn(
        cluster_gateway,
        ClusterGatewayConfig{.provider = cluster_.get(), .watcher = &watcher_, .sink = &sink_, .limits = {}}));
    rooms.status = own(system_.spawn(status, StatusConfig{&sink_, rooms.kernel_gateway, rooms.cluster_gateway}));
    MirrorLogConfig common;
    common.kernel_gateway = rooms.kernel_gateway;
    common.cluster_gateway = rooms.cluster_gateway;
    common.supervisor = std::move(supervisor);
    common.states = &node_.states;
    common.sink = &sink_;
    common.make_log_device = [this](const std::string& device, MirrorLogActor log) {
        LogDeviceConfig config{.provider = &node_.world.disks, .sink = &sink_, .device = device};
        auto real = own(spawn_log_device(system_, LogDeviceThread::shared, std::move(config), std::move(log)));
        devices_.push_back(std::make_unique<DeviceQueue>(*this, node_, device, real));
        return own(spawn_device_queue(system_, *devices_.back()));
    };
    rooms.make_log = [this, common](const Uuid& uuid, Luid luid) { return make_log(uuid, luid, common); };
    return rooms;
}

MirrorLogActor Daemon::make_log(const Uuid& uuid, Luid luid, MirrorLogConfig config) {
    using Implementation = MirrorLogActor::stateful_base<MirrorLogState>;
    config.log.uuid = uuid;
    config.log.luid = luid;
    config.log.boot = node_.boot;
    config.log.seed = node_.world.fresh.next();
    if (const auto bytes = node_.states.read(luid))
        if (auto kept = unpack_state_file(*bytes)) config.log.kept = std::move(*kept);
    config.log.settings = node_.world.profile.settings;
    auto log = own(system_.spawn(mirror_log_actor, std::move(config)));
    auto* actor = caf::actor_cast<caf::abstract_actor*>(log);
    auto alive = std::make_shared<bool>(true);
    actor->attach_functor([alive](const caf::error&) { *alive = false; });
    auto* implementation = dynamic_cast<Implementation*>(actor);
    CMIRROR_INVARIANT(implementation != nullptr);
    // The core is made when the actor starts: it is looked up then.
    logs_.push_back({uuid, luid, nullptr, alive});
    states_.push_back(&implementation->state);
    return log;
}

std::vector<RunningLog> Daemon::logs() {
    std::vector<RunningLog> running;
    for (std::size_t i = 0; i < logs_.size(); ++i) {
        if (!*logs_[i].alive || !states_[i]->core) continue;
        running.push_back(logs_[i]);
        running.back().core = &*states_[i]->core;
    }
    return running;
}

const mirror_log::MirrorLogCore* Daemon::log(Luid luid) {
    for (std::size_t i = logs_.size(); i > 0; --i)
        if (logs_[i - 1].luid == luid && *logs_[i - 1].alive && states_[i - 1]->core) return &*states_[i - 1]->core;
    return nullptr;
}

}  // namespace cmirror::sim
