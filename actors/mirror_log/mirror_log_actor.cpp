#include "actors/mirror_log/mirror_log_actor.hpp"

#include <caf/all.hpp>
#include <cerrno>
#include <new>
#include <string>
#include <system_error>
#include <variant>

#include "actors/common/actor_basics.hpp"

namespace cmirror {

namespace {

using namespace mirror_log;
using Self = MirrorLogActor::stateful_pointer<MirrorLogState>;

/// A write that the device's thread gets to later than this is one of a daemon that was stopped.
constexpr Instant write_begins_within = std::chrono::seconds{1};

Instant now(Self self) {
    return self->state.clock->now().time_since_epoch();
}

/// A state file that is not true any more must not be found.
void give_up_keeping(MirrorLogState& state, const std::string& why) {
    const auto& log = state.config.log;
    state.config.states->remove(log.luid);
    state.state_file.reset();
    state.config.sink->write(LogLevel::error, "log " + std::string(log.uuid.text()) + ": its state file is given up: " +
                                                  why + "; should the daemon die, every region counts as marked");
}

void keep(MirrorLogState& state, const KeepEffect& effect) {
    if (effect.begin) {
        auto begun = state.config.states->begin(state.config.log.luid, effect.file_size, effect.patches);
        if (!begun) return give_up_keeping(state, begun.error());
        state.state_file = std::move(*begun);
    } else if (state.state_file) {
        if (auto written = state.state_file->write(effect.patches); !written) give_up_keeping(state, written.error());
    }
}

/// Carries one effect out.
struct Perform {
    Self self;
    MirrorLogState& state;

    void operator()(KernelReply& reply) const { self->send(state.config.kernel_gateway, std::move(reply)); }
    void operator()(const JoinEffect& effect) const {
        self->send(state.config.cluster_gateway, JoinGroup{state.config.log.uuid, self, effect.in_use});
    }
    void operator()(LeaveEffect& effect) const {
        const auto& log = state.config.log;
        self->send(state.config.cluster_gateway, LeaveGroup{log.uuid, log.luid, std::move(effect.left_behind)});
    }
    void operator()(SendEffect& effect) const {
        self->send(state.config.cluster_gateway, Multicast{state.config.log.uuid, std::move(effect.message)});
    }
    void operator()(const OpenEffect& effect) const {
        try {
            state.device = state.config.make_log_device(effect.device, self);
            self->monitor(state.device);
            self->send(state.device, OpenDevice{});
        } catch (const std::system_error& error) {
            const auto text = std::string{"cannot start a thread for its log device: "} + error.what();
            self->send(self, DeviceOpened{Failure<DeviceError>{{ENOMEM, text}}});
        }
    }
    void operator()(const ReadEffect& effect) const { self->send(state.device, ReadDevice{effect.region_count}); }
    void operator()(WriteEffect& effect) const {
        self->send(state.device, WriteDevice{effect.write, std::move(effect.blocks), now(self) + write_begins_within});
    }
    void operator()(const KeepEffect& effect) const { keep(state, effect); }
    void operator()(const LineEffect& effect) const {
        state.config.sink->write_about({effect.event, state.config.log.uuid.text()}, effect.level, effect.text);
    }
    void operator()(const WakeEffect& effect) const {
        state.timer = effect.at;
        self->delayed_send(self, std::max(effect.at - now(self), Instant{0}), TimerDue{});
    }
    void operator()(const EndEffect& effect) const {
        const auto& log = state.config.log;
        if (effect.destroyed) state.config.states->remove(log.luid);
        self->send(state.config.supervisor, LogEnded{log.uuid, log.luid, effect.destroyed});
        self->quit();
    }
};

void perform(Self self) {
    auto& state = self->state;
    for (Effect& effect : state.effects)
        std::visit(Perform{self, state}, effect);
    state.effects.clear();
}

/// A handler that hands a message to the core's `event` and carries out what follows.
template <class Message, class Event>
auto on(Self self, Event event) {
    return [self, event](const Message& message) {
        auto& state = self->state;
        event(*state.core, message, now(self), state.effects);
        perform(self);
    };
}

void refuse_for_memory(Self self, const KernelRequest& request) {
    KernelReply refusal{
        .seq = request.seq, .type = request.type, .luid = request.luid, .error = -ENOMEM, .payload = {}};
    self->send(self->state.config.kernel_gateway, std::move(refusal));
}

void timer_due(Self self) {
    auto& state = self->state;
    const Instant at = now(self);
    if (!state.timer || at < *state.timer) return;
    state.timer.reset();
    state.core->timer(at, state.effects);
    perform(self);
}

}  // namespace

MirrorLogActor::behavior_type mirror_log_actor(Self self, MirrorLogConfig config) {
    set_common_handlers(self, *config.sink);
    // Without its log device nobody would answer the FLUSHes: the log ends as well, and the kernel creates it again.
    self->set_down_handler([](caf::scheduled_actor* actor, caf::down_msg& down) {
        if (down.reason) actor->quit(std::move(down.reason));
    });
    self->state.clock = &self->clock();
    self->state.config = std::move(config);
    self->state.core.emplace(self->state.config.log);
    using Core = MirrorLogCore;
    return {
        [self](const KernelRequest& request) {
            const Instant at = Core::depends_on_time(request.type) ? now(self) : Instant{};
            try {
                self->state.core->request(request, at, self->state.effects);
            } catch (const std::bad_alloc&) {
                // This log ends here. The kernel would construct one that is too large again and again.
                if (request.type == RequestType::ctr) refuse_for_memory(self, request);
                throw;
            }
            perform(self);
        },
        on<Delivered>(
            self, [](Core& c, const auto& m, Instant at, Effects& out) { c.delivered(m.sender, *m.message, at, out); }),
        on<Membership>(self, [](Core& c, const auto& m, Instant at, Effects& out) { c.membership(m, at, out); }),
        on<QuorumChanged>(self,
                          [](Core& c, const auto& m, Instant at, Effects& out) {
                              c.quorum(QuorumView{m.quorate, m.ring, m.nodes}, at, out);
                          }),
        on<ClusterLost>(self, [](Core& c, const auto&, Instant at, Effects& out) { c.cluster_lost(at, out); }),
        on<LeftBehind>(self, [](Core& c, const auto& m, Instant, Effects&) { c.inherit(m); }),
        on<Superseded>(self, [](Core& c, const auto&, Instant at, Effects& out) { c.superseded(at, out); }),
        on<DeviceOpened>(
            self, [](Core& c, const auto& m, Instant at, Effects& out) { c.device_opened(m.size_bytes, at, out); }),
        on<DeviceRead>(self, [](Core& c, const auto& m, Instant at, Effects& out) { c.device_read(m.image, at, out); }),
        on<DeviceWritten>(self, [](Core& c, const auto& m, Instant at,
                                   Effects& out) { c.device_written(m.write, m.outcome, at, out); }),
        on<Abandon>(self, [](Core& c, const auto&, Instant at, Effects& out) { c.abandon(at, out); }),
        on<NodeGone>(self, [](Core& c, const auto& m, Instant at, Effects& out) { c.node_gone(m.node, at, out); }),
        [self](const TimerDue&) { timer_due(self); },
        [self](const StatusQuery&) { return self->state.core->status(); },
    };
}

}  // namespace cmirror
