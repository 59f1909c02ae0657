#include "actors/status/status_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/common/actor_basics.hpp"
#include "messages/invariant.hpp"

namespace cmirror {
namespace {

using Self = StatusActor::stateful_pointer<StatusState>;

/// Places of the actors' parts.
enum ActorPart : std::size_t { supervisor_part, kernel_part, cluster_part, actor_parts };

void finish(Self self);

/// Asks `actor` and places what comes. The requests have no time limit of their own: TimerDue ends the snapshot, and an
/// answer that comes after that is ignored.
template <class Part, class Handle, class Place>
void ask(Self self, const Handle& actor, Place place) {
    const auto placed = [self, place](std::variant<PartMissing, Part> part) {
        if (place(self->state.core, std::move(part))) finish(self);
    };
    self->request(actor, caf::infinite, StatusQuery{})
        .then([placed](const Part& part) { placed(part); },
              [self, placed](const caf::error& error) { placed(PartMissing{self->system().render(error)}); });
}

void begin(Self self, const StatusOrder& order, StatusAudience audience) {
    auto& state = self->state;
    state.audience = std::move(audience);
    state.core.begin(state.config.daemon, actor_parts, order.logs.size(), self->clock().now());
    const auto snapshot = state.core.current();
    self->delayed_send(self, StatusCore::patience, TimerDue{});
    const auto actor_place = [snapshot](std::size_t index) {
        return [snapshot, index](StatusCore& core, std::variant<PartMissing, ActorStatus> part) {
            return core.on_actor(snapshot, index, std::move(part));
        };
    };
    state.core.on_actor(snapshot, supervisor_part, order.supervisor);
    ask<ActorStatus>(self, state.config.kernel_gateway, actor_place(kernel_part));
    ask<ActorStatus>(self, state.config.cluster_gateway, actor_place(cluster_part));
    for (std::size_t index = 0; index < order.logs.size(); ++index) {
        ask<LogStatus>(self, order.logs[index],
                       [snapshot, index](StatusCore& core, std::variant<PartMissing, LogStatus> part) {
                           return core.on_log(snapshot, index, std::move(part));
                       });
    }
}

void finish(Self self) {
    auto& state = self->state;
    const auto snapshot = state.core.finish();
    auto audience = std::exchange(state.audience, {});
    if (audience.log)
        for (const auto& line : format_status(snapshot))
            state.config.sink->write(LogLevel::info, line);
    for (auto& asker : audience.askers)
        asker.deliver(snapshot);
    if (auto next = std::exchange(state.next, std::nullopt)) begin(self, *next, std::exchange(state.next_audience, {}));
}

/// Gathers for `audience` now, or together with others after the present snapshot.
void gather(Self self, const StatusOrder& order, StatusAudience audience) {
    auto& state = self->state;
    if (!state.core.busy()) return begin(self, order, std::move(audience));
    state.next = order;
    state.next_audience.log |= audience.log;
    for (auto& asker : audience.askers)
        state.next_audience.askers.push_back(std::move(asker));
}

}  // namespace

StatusActor::behavior_type status(Self self, StatusConfig config) {
    CMIRROR_INVARIANT(config.sink != nullptr);
    set_common_handlers(self, *config.sink);
    self->state.config = std::move(config);
    return {
        [self](const ReportStatus& report) {
            gather(self, report.order, StatusAudience{true, {}});
        },
        [self](const GatherStatus& request) {
            auto promise = self->make_response_promise<StatusSnapshot>();
            gather(self, request.order, StatusAudience{false, {promise}});
            return promise;
        },
        [self](const TimerDue&) {
            if (self->state.core.overdue(self->clock().now())) finish(self);
        },
        [self](const Shutdown&) { self->quit(); },
    };
}

}  // namespace cmirror
