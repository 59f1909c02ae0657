#include "actors/supervisor/supervisor_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <cstdlib>
#include <string>
#include <utility>

#include "actors/common/actor_basics.hpp"
#include "messages/invariant.hpp"

namespace cmirror {
namespace {

using Self = SupervisorActor::stateful_pointer<SupervisorState>;

/// Signals read before other actors get their turn.
constexpr int signals_per_turn = 16;

/// The instance whose actor has this address, or 0.
InstanceId instance_of(Self self, const caf::actor_addr& address) {
    for (const auto& [instance, log] : self->state.logs)
        if (log.address() == address) return instance;
    return 0;
}

StatusOrder status_order(Self self, ActorStatus own) {
    StatusOrder order{.logs = {}, .supervisor = std::move(own)};
    for (const auto& [instance, log] : self->state.logs)
        order.logs.push_back(log);
    return order;
}

struct CarryOut {
    Self self;

    void operator()(SupervisorCore::Spawn& spawn) const {
        auto& state = self->state;
        auto log = state.rooms.make_log(spawn.uuid, spawn.luid);
        self->monitor(log);
        state.logs.emplace(spawn.instance, log);
        self->send(state.rooms.kernel_gateway, RouteAdded{spawn.uuid, spawn.luid, std::move(log)});
    }
    void operator()(SupervisorCore::Forward& forward) const {
        const auto found = self->state.logs.find(forward.instance);
        CMIRROR_INVARIANT(found != self->state.logs.end());
        self->send(found->second, std::move(forward.request));
    }
    void operator()(SupervisorCore::AbandonLog& abandon) const {
        const auto found = self->state.logs.find(abandon.instance);
        CMIRROR_INVARIANT(found != self->state.logs.end());
        self->send(found->second, Abandon{});
    }
    void operator()(SupervisorCore::RemoveRoute& route) const {
        self->send(self->state.rooms.kernel_gateway, RouteRemoved{route.luid});
    }
    void operator()(SupervisorCore::Forget& forget) const { self->state.logs.erase(forget.instance); }
    void operator()(SupervisorCore::Reply& reply) const {
        self->send(self->state.rooms.kernel_gateway, std::move(reply.reply));
    }
    void operator()(SupervisorCore::Report& report) const {
        self->send(self->state.rooms.status, ReportStatus{status_order(self, std::move(report.own))});
    }
    void operator()(SupervisorCore::Stop&) const {
        auto& state = self->state;
        state.config.watcher->unwatch(state.config.signals->descriptor());
        if (state.config.manager != nullptr) state.config.manager->stopping();
        self->send(state.rooms.kernel_gateway, Shutdown{});
        self->send(state.rooms.cluster_gateway, Shutdown{});
        if (state.rooms.control_gateway) self->send(state.rooms.control_gateway, Shutdown{});
        self->send(state.rooms.status, Shutdown{});
        // The logs that have ended and are still leaving their groups end by themselves.
        self->quit();
    }
    void operator()(LogLine& line) const { self->state.config.sink->write_about({line.event}, line.level, line.text); }
};

void carry_out(Self self) {
    auto effects = std::exchange(self->state.effects, {});
    for (auto& effect : effects)
        std::visit(CarryOut{self}, effect);
    auto& state = self->state;
    if (state.config.manager == nullptr || state.logs_told == state.logs.size()) return;
    state.logs_told = state.logs.size();
    state.config.manager->status(supervisor_status(state.logs_told));
}

void read_signals(Self self, int descriptor) {
    auto& state = self->state;
    for (int read = 0; read < signals_per_turn; ++read) {
        const auto signal = state.config.signals->next();
        if (!signal) return state.config.watcher->rearm(descriptor);
        state.core->on_signal(*signal, state.effects);
        for (const auto& effect : state.effects)
            if (std::holds_alternative<SupervisorCore::Stop>(effect)) return;
    }
    self->send(self, descriptor_ready_atom::value, descriptor);
}

void on_down(Self self, const caf::down_msg& down) {
    auto& state = self->state;
    const auto reason = self->system().render(down.reason);
    for (const auto& [room, address] : {std::pair("kernel_gateway", state.rooms.kernel_gateway.address()),
                                        std::pair("cluster_gateway", state.rooms.cluster_gateway.address())}) {
        if (down.source != address) continue;
        // Nothing can be served any more; a daemon that is started again gets its logs back from the kernel.
        state.config.sink->write(LogLevel::error, std::string("internal: ") + room + " died (" + reason + ")");
        std::abort();
    }
    const auto instance = instance_of(self, down.source);
    if (instance == 0) return;
    state.core->on_down(instance, reason, state.effects);
    carry_out(self);
}

}  // namespace

SupervisorActor::behavior_type supervisor(Self self, SupervisorConfig config) {
    CMIRROR_INVARIANT(config.signals != nullptr && config.watcher != nullptr && config.sink != nullptr);
    CMIRROR_INVARIANT(config.open_rooms != nullptr);
    set_common_handlers(self, *config.sink);
    self->set_down_handler([self](caf::scheduled_actor*, caf::down_msg& down) { on_down(self, down); });
    auto& state = self->state;
    state.core.emplace(config.limits);
    state.config = std::move(config);
    state.rooms = state.config.open_rooms(self);
    if (state.config.manager != nullptr) state.config.manager->status(supervisor_status(0));
    CMIRROR_INVARIANT(state.rooms.make_log != nullptr);
    self->monitor(state.rooms.kernel_gateway);
    self->monitor(state.rooms.cluster_gateway);
    state.config.watcher->watch(state.config.signals->descriptor(), caf::actor_cast<caf::actor>(self));
    return {
        [self](const KernelRequest& request) {
            self->state.core->on_request(request, self->clock().now(), self->state.effects);
            carry_out(self);
        },
        [self](const LogEnded& ended) {
            // By sender: the luid may belong to another instance by now.
            const auto instance = instance_of(self, caf::actor_cast<caf::actor_addr>(self->current_sender()));
            if (instance == 0) return;
            self->state.core->on_ended(instance, ended.destroyed, self->state.effects);
            carry_out(self);
        },
        [self](const NodeGone& gone) {
            for (const auto& [instance, log] : self->state.logs)
                self->send(log, gone);
            return ControlReply{{}, self->state.logs.size()};
        },
        [self](const StatusRequest&) {
            const auto& rooms = self->state.rooms;
            return self->delegate(rooms.status, GatherStatus{status_order(self, self->state.core->status())});
        },
        [self](descriptor_ready_atom, int descriptor) {
            read_signals(self, descriptor);
            carry_out(self);
        },
    };
}

}  // namespace cmirror
