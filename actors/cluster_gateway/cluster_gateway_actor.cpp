#include "actors/cluster_gateway/cluster_gateway_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/common/actor_basics.hpp"
#include "messages/invariant.hpp"

namespace cmirror {
namespace {

using Self = ClusterGatewayActor::stateful_pointer<ClusterGatewayState>;
using Core = ClusterGatewayCore;

/// Events of one connection handled before other actors get their turn.
constexpr std::size_t events_per_turn = 64;

TimePoint now_of(Self self) {
    return self->clock().now();
}

void close_group(ClusterGatewayState& state, JoinId join) {
    const auto found = state.groups.find(join);
    if (found == state.groups.end()) return;
    const int descriptor = found->second->descriptor();
    state.config.watcher->unwatch(descriptor);
    state.join_of_descriptor.erase(descriptor);
    state.groups.erase(found);
}

void close_quorum(ClusterGatewayState& state) {
    if (state.quorum == nullptr) return;
    state.config.watcher->unwatch(state.quorum->descriptor());
    state.quorum.reset();
}

struct SendNews {
    Self self;
    const MirrorLogActor& log;

    void operator()(Membership& membership) const { self->send(log, std::move(membership)); }
    void operator()(Core::DeliveredMessage& delivered) const {
        self->send(log, Delivered{delivered.sender, std::move(delivered.message)});
    }
    void operator()(QuorumView& view) const {
        self->send(log, QuorumChanged{view.quorate, view.ring, std::move(view.nodes)});
    }
    void operator()(LeftBehind& left_behind) const { self->send(log, std::move(left_behind)); }
    void operator()(Core::Lost&) const { self->send(log, ClusterLost{}); }
    void operator()(Core::GiveWay&) const { self->send(log, Superseded{}); }
};

/// Carries out one effect and tells the core how it went, which may append further effects.
struct CarryOut {
    Self self;
    ClusterGatewayState& state;
    Core::Effects& effects;

    GroupConnection* connection(JoinId join) const {
        const auto found = state.groups.find(join);
        return found == state.groups.end() ? nullptr : found->second.get();
    }
    void operator()(Core::OpenQuorum&) const {
        CMIRROR_INVARIANT(state.quorum == nullptr);
        auto opened = state.config.provider->open_quorum();
        if (!opened) return state.core->on_quorum_opened(false, opened.error(), now_of(self), effects);
        state.quorum = std::move(*opened);
        state.config.watcher->watch(state.quorum->descriptor(), caf::actor_cast<caf::actor>(self));
        state.core->on_quorum_opened(true, {}, now_of(self), effects);
    }
    void operator()(Core::CloseQuorum&) const { close_quorum(state); }
    void operator()(Core::OpenGroup& open) const {
        CMIRROR_INVARIANT(connection(open.join) == nullptr);
        auto opened = state.config.provider->open_group();
        if (!opened) return state.core->on_group_opened(open.join, false, opened.error(), now_of(self), effects);
        const int descriptor = (*opened)->descriptor();
        state.groups.emplace(open.join, std::move(*opened));
        state.join_of_descriptor.insert_or_assign(descriptor, open.join);
        state.config.watcher->watch(descriptor, caf::actor_cast<caf::actor>(self));
        state.core->on_group_opened(open.join, true, {}, now_of(self), effects);
    }
    void operator()(Core::CallJoin& join) const {
        if (auto* to = connection(join.join))
            state.core->on_join_called(join.join, to->join(join.group), now_of(self), effects);
    }
    void operator()(Core::CallLeave& leave) const {
        if (auto* to = connection(leave.join))
            state.core->on_leave_called(leave.join, to->leave(), now_of(self), effects);
    }
    void operator()(Core::CallMulticast& send) const {
        auto* to = connection(send.join);
        if (to == nullptr) return;
        const auto frame = state.core->next_frame(send.join);
        if (frame.empty()) return;
        const auto call = to->multicast(frame);
        state.core->on_multicast_called(send.join, call, now_of(self), effects);
    }
    void operator()(Core::CloseGroup& close) const { close_group(state, close.join); }
    void operator()(Core::Tell& tell) const {
        const auto found = state.logs.find(tell.log);
        if (found != state.logs.end()) std::visit(SendNews{self, found->second}, tell.news);
    }
    void operator()(Core::Release& release) const {
        const auto found = state.logs.find(release.log);
        if (found == state.logs.end()) return;
        self->demonitor(found->second.address());
        state.logs.erase(found);
    }
    void operator()(LogLine& line) const { state.config.sink->write_about({line.event}, line.level, line.text); }
};

/// At most one TimerDue is under way, unless an earlier one is needed than that.
void arm_timer(Self self) {
    auto& state = self->state;
    const auto due = state.core->next_due();
    if (!due || (state.timer && *state.timer <= *due)) return;
    state.timer = due;
    const auto now = now_of(self);
    self->delayed_send(self, *due > now ? *due - now : std::chrono::nanoseconds(0), TimerDue{});
}

void carry_out(Self self) {
    auto& state = self->state;
    for (std::size_t next = 0; next < state.effects.size(); ++next) {
        auto effect = std::move(state.effects[next]);
        std::visit(CarryOut{self, state, state.effects}, effect);
    }
    state.effects.clear();
    arm_timer(self);
}

/// Passes what one group's connection dispatches to the core.
class Events final : public GroupEvents {
  public:
    Events(Self self, JoinId join) : self_(self), join_(join) {}
    void delivered(MemberId sender, std::span<const std::byte> frame) override {
        auto& state = self_->state;
        state.core->on_delivered(join_, sender, frame, now_of(self_), state.effects);
    }
    void changed(Membership membership) override {
        auto& state = self_->state;
        state.core->on_membership(join_, std::move(membership), now_of(self_), state.effects);
    }

  private:
    Self self_;
    JoinId join_;
};

void dispatch_quorum(Self self, int descriptor) {
    auto& state = self->state;
    auto call = ClusterCall::done;
    for (auto& view : state.quorum->dispatch(call))
        state.core->on_quorum(std::move(view), state.effects);
    if (call == ClusterCall::lost || call == ClusterCall::refused)
        state.core->on_lost("the quorum service", now_of(self), state.effects);
    carry_out(self);
    if (state.quorum != nullptr && state.quorum->descriptor() == descriptor) state.config.watcher->rearm(descriptor);
}

void dispatch_group(Self self, int descriptor, JoinId join) {
    auto& state = self->state;
    Events events(self, join);
    bool more = false;
    const auto call = state.groups.at(join)->dispatch(events, events_per_turn, more);
    if (call == ClusterCall::lost || call == ClusterCall::refused)
        state.core->on_lost("the process group service", now_of(self), state.effects);
    carry_out(self);
    if (!state.groups.contains(join)) return;
    if (more)
        self->send(self, descriptor_ready_atom::value, descriptor);
    else
        state.config.watcher->rearm(descriptor);
}

void on_ready(Self self, int descriptor) {
    auto& state = self->state;
    if (state.quorum != nullptr && state.quorum->descriptor() == descriptor) return dispatch_quorum(self, descriptor);
    const auto found = state.join_of_descriptor.find(descriptor);
    if (found != state.join_of_descriptor.end()) dispatch_group(self, descriptor, found->second);
}

LogId sender_of(Self self) {
    const auto& sender = self->current_sender();
    return sender == nullptr ? 0 : sender->id();
}

}  // namespace

ClusterGatewayActor::behavior_type cluster_gateway(Self self, ClusterGatewayConfig config) {
    CMIRROR_INVARIANT(config.provider != nullptr && config.watcher != nullptr && config.sink != nullptr);
    set_common_handlers(self, *config.sink);
    self->set_down_handler([self](caf::scheduled_actor*, caf::down_msg& down) {
        self->state.core->on_log_gone(down.source.id(), now_of(self), self->state.effects);
        carry_out(self);
    });
    self->state.core.emplace(config.limits);
    self->state.config = config;
    self->state.core->start(now_of(self), self->state.effects);
    carry_out(self);
    return {
        [self](descriptor_ready_atom, int descriptor) { on_ready(self, descriptor); },
        [self](const JoinGroup& join) {
            auto& state = self->state;
            if (state.logs.emplace(join.log.id(), join.log).second) self->monitor(join.log);
            state.core->join(join.group, join.log.id(), join.in_use, now_of(self), state.effects);
            carry_out(self);
        },
        [self](const LeaveGroup& leave) {
            auto& state = self->state;
            state.core->leave_behind(leave.group, leave.left_behind, now_of(self));
            state.core->leave(leave.group, sender_of(self), now_of(self), state.effects);
            carry_out(self);
        },
        [self](const Multicast& send) {
            auto& state = self->state;
            state.core->multicast(send.group, sender_of(self), send.message, now_of(self), state.effects);
            carry_out(self);
        },
        [self](const TimerDue&) {
            // One that an earlier one had made superfluous comes while another is under way.
            auto& timer = self->state.timer;
            if (timer && *timer <= now_of(self)) timer.reset();
            self->state.core->on_timer(now_of(self), self->state.effects);
            carry_out(self);
        },
        [self](const Shutdown&) {
            self->state.core->shut_down(self->state.effects);
            carry_out(self);
            self->quit();
        },
        [self](const StatusQuery&) { return self->state.core->status(); },
    };
}

}  // namespace cmirror
