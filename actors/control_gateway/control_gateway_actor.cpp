#include "actors/control_gateway/control_gateway_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/common/actor_basics.hpp"
#include "messages/invariant.hpp"
#include "messages/wire_control.hpp"
#include "messages/wire_status.hpp"

namespace cmirror {
namespace {

using Self = ControlGatewayActor::stateful_pointer<ControlGatewayState>;

/// Asks the supervisor, and answers the asker with what `pack` makes of its answer.
template <class Answer, class Request>
void pass_on(Self self, const Request& request, AskerId asker, std::string (*pack)(const Answer&)) {
    self->request(self->state.config.supervisor, caf::infinite, request)
        .then([self, asker, pack](const Answer& answer) { self->state.config.socket->reply(asker, pack(answer)); },
              [self, asker](const caf::error&) {
                  self->state.config.socket->reply(asker, pack_control_reply({"the daemon is stopping", 0}));
              });
}

struct PassOn {
    Self self;
    AskerId asker;

    void operator()(const NodeGone& request) const { pass_on<ControlReply>(self, request, asker, pack_control_reply); }
    void operator()(const EventsRequest&) const {
        const auto& config = self->state.config;
        const auto* recorder = config.recorder;
        config.socket->reply(asker, pack_events(recorder == nullptr ? std::vector<std::string>{} : recorder->recent()));
    }
    void operator()(const StatusRequest& request) const { pass_on<StatusSnapshot>(self, request, asker, pack_status); }
};

void receive_one(Self self, int descriptor) {
    auto& state = self->state;
    const auto question = state.config.socket->receive();
    state.config.watcher->rearm(descriptor);
    if (!question) return;
    const auto verdict = state.core.on_request(*question, self->clock().now(), state.lines);
    if (const auto* reply = std::get_if<ControlReply>(&verdict))
        state.config.socket->reply(question->asker, pack_control_reply(*reply));
    else
        std::visit(PassOn{self, question->asker}, std::get<ControlRequest>(verdict));
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
