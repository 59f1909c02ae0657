#include "actors/kernel_gateway/kernel_gateway_actor.hpp"

#include <algorithm>
#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <span>
#include <utility>

#include "actors/common/actor_basics.hpp"
#include "messages/invariant.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;

using Self = KernelGatewayActor::stateful_pointer<KernelGatewayState>;

TimePoint now_of(Self self) {
    return self->clock().now();
}

/// True if the kernel has it.
bool send_frame(Self self, std::size_t size) {
    auto& state = self->state;
    CMIRROR_INVARIANT(size > 0 && size <= state.reply.size());
    const int code = state.config.socket->send(std::span(state.reply).first(size));
    // The time matters to what is logged alone.
    state.core->on_sent(code, code == 0 ? TimePoint{} : now_of(self), state.lines);
    return code == 0;
}

/// The kernel sends again at once what an earlier daemon did not answer, in place of after 15 s. Numbers that nobody
/// waits under are ignored by it.
void ask_for_repetition(Self self, std::size_t count_max) {
    auto& state = self->state;
    for (; count_max > 0 && !state.to_repeat.empty(); --count_max) {
        const std::size_t size = pack_kernel_resend(state.to_repeat.back(), state.reply);
        // The kernel takes all at once. Whoever stands in for it may have little room, and may not be known yet.
        if (state.config.socket->send(std::span(state.reply).first(size)) != 0) return;
        state.core->on_asked_again();
        state.to_repeat.pop_back();
    }
}

void carry_out(Self self, KernelGatewayCore::Verdict&& verdict) {
    auto& state = self->state;
    if (auto* bad = std::get_if<KernelGatewayCore::Bad>(&verdict)) {
        if (const auto address = state.core->refuse(*bad, now_of(self), state.lines))
            send_frame(self, pack_kernel_refusal(*address, state.reply));
        return;
    }
    const auto begin = [self, &state](const KernelRequest& request) {
        if (state.config.journal != nullptr) state.config.journal->received(request.seq);
        state.core->on_request(request, now_of(self));
    };
    if (auto* unknown = std::get_if<KernelGatewayCore::ToSupervisor>(&verdict)) {
        begin(unknown->request);
        self->send(state.config.supervisor, std::move(unknown->request));
    } else if (auto* known = std::get_if<KernelGatewayCore::ToLog>(&verdict)) {
        CMIRROR_INVARIANT(known->slot < state.logs.size());
        begin(known->request);
        self->send(state.logs[known->slot], std::move(known->request));
    }
}

/// One datagram: most of the time there is no second one, and a call that finds none costs as much as one that does.
/// The watcher tells of the next one, also of one that waits already.
void receive_one(Self self, int descriptor) {
    using Kind = KernelDatagram::Kind;
    auto& state = self->state;
    const auto datagram = state.config.socket->receive(state.received);
    // Nothing can come any more, and a closed descriptor that stays armed makes the loop spin.
    if (datagram.kind == Kind::closed)
        state.config.watcher->unwatch(descriptor);
    else
        state.config.watcher->rearm(descriptor);
    if (datagram.kind == Kind::from_kernel) {
        ask_for_repetition(self, 1);
        const auto frame = std::span<const std::byte>(state.received).first(datagram.size);
        carry_out(self, state.core->on_frame(frame));
    } else {
        state.core->on_no_frame(datagram, now_of(self), state.lines);
    }
}

void note_answer(Self self, const KernelReply& reply) {
    auto& state = self->state;
    if (state.config.journal != nullptr) state.config.journal->answered(reply.seq);
    const auto took = state.core->on_reply(reply, now_of(self));
    if (state.config.recorder == nullptr) return;
    state.config.recorder->answered({reply.type, reply.luid, reply.seq, reply.error, took.value_or(0ns)});
}

void add_route(Self self, const RouteAdded& route) {
    auto& state = self->state;
    const auto slot = state.core->add_route(route.uuid, route.luid, state.lines);
    if (!slot) return;
    if (*slot >= state.logs.size()) state.logs.resize(*slot + 1);
    state.logs[*slot] = route.log;
}

}  // namespace

KernelGatewayActor::behavior_type kernel_gateway(Self self, KernelGatewayConfig config) {
    CMIRROR_INVARIANT(config.socket != nullptr && config.watcher != nullptr && config.sink != nullptr);
    set_common_handlers(self, *config.sink);
    auto& state = self->state;
    state.core.emplace(config.routes_max);
    state.config = std::move(config);
    state.config.watcher->watch(state.config.socket->descriptor(), caf::actor_cast<caf::actor>(self));
    if (state.config.journal != nullptr) {
        state.to_repeat = state.config.journal->take_unanswered();
        std::reverse(state.to_repeat.begin(), state.to_repeat.end());
        ask_for_repetition(self, state.to_repeat.size());
    }
    const auto flush_lines = [self] { write_lines(*self->state.config.sink, self->state.lines); };
    return {
        [self, flush_lines](descriptor_ready_atom, int descriptor) {
            receive_one(self, descriptor);
            flush_lines();
        },
        [self, flush_lines](const KernelReply& reply) {
            if (send_frame(self, pack_kernel_reply(reply, self->state.reply))) note_answer(self, reply);
            flush_lines();
        },
        [self, flush_lines](const RouteAdded& route) {
            add_route(self, route);
            flush_lines();
        },
        [self](const RouteRemoved& route) {
            if (const auto slot = self->state.core->remove_route(route.luid)) self->state.logs[*slot] = nullptr;
        },
        [self](const Shutdown&) {
            self->state.config.watcher->unwatch(self->state.config.socket->descriptor());
            self->quit();
        },
        [self](const StatusQuery&) { return self->state.core->status(now_of(self)); },
    };
}

}  // namespace cmirror
