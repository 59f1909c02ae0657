#include "actors/control_gateway/control_gateway_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/common/actor_basics.hpp"
#include "messages/invariant.hpp"
#include "messages/wire_control.hpp"

namespace cmirror {
namespace {

using Self = ControlGatewayActor::stateful_pointer<ControlGatewayState>;

void pass_on(Self self, const ControlRequest& request, std::string reply_to) {
    const auto answer = [self, reply_to = std::move(reply_to)](const ControlReply& reply) {
        self->state.config.socket->reply(reply_to, pack_control_reply(reply));
    };
    self->request(self->state.config.supervisor, caf::infinite, std::get<NodeGone>(request))
        .then(answer, [answer](const caf::error&) {
            answer(ControlReply{"the daemon is stopping", 0});
        });
}

void receive_one(Self self, int descriptor) {
    auto& state = self->state;
    const auto datagram = state.config.socket->receive();
    state.config.watcher->rearm(descriptor);
    if (!datagram) return;
    auto verdict = state.core.on_request(*datagram, self->clock().now(), state.lines);
    if (const auto* reply = std::get_if<ControlReply>(&verdict))
        state.config.socket->reply(datagram->reply_to, pack_control_reply(*reply));
    else
        pass_on(self, std::get<ControlRequest>(verdict), datagram->reply_to);
    write_lines(*state.config.sink, state.lines);
}

}  // namespace

ControlGatewayActor::behavior_type control_gateway(Self self, ControlGatewayConfig config) {
    CMIRROR_INVARIANT(config.socket != nullptr && config.watcher != nullptr && config.sink != nullptr);
    set_common_handlers(self, *config.sink);
    auto& state = self->state;
    state.config = std::move(config);
    state.config.watcher->watch(state.config.socket->descriptor(), caf::actor_cast<caf::actor>(self));
    return {
        [self](descriptor_ready_atom, int descriptor) { receive_one(self, descriptor); },
        [self](const Shutdown&) {
            self->state.config.watcher->unwatch(self->state.config.socket->descriptor());
            self->quit();
        },
        [self](const StatusQuery&) { return self->state.core.status(); },
    };
}

}  // namespace cmirror
