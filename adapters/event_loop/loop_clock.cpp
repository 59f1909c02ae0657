#include "adapters/event_loop/loop_clock.hpp"

#include <caf/abstract_actor.hpp>
#include <memory>
#include <utility>

namespace cmirror {
namespace {

LoopTimers::Entry entry_of(LoopTimers::Kind kind, caf::strong_actor_ptr actor, std::uint64_t key) {
    LoopTimers::Entry entry;
    entry.kind = kind;
    entry.actor = std::move(actor);
    entry.key = key;
    return entry;
}

}  // namespace

void LoopClock::put(time_point due, LoopTimers::Entry entry) {
    // std::function wants something copyable.
    auto shared = std::make_shared<LoopTimers::Entry>(std::move(entry));
    post_([this, due, shared] { timers_.add(due, std::move(*shared)); });
}

void LoopClock::set_ordinary_timeout(time_point due, caf::abstract_actor* actor, caf::atom_value type,
                                     std::uint64_t timeout_id) {
    auto entry = entry_of(LoopTimers::Kind::ordinary, actor->ctrl(), static_cast<std::uint64_t>(type));
    entry.type = type;
    entry.timeout_id = timeout_id;
    put(due, std::move(entry));
}

void LoopClock::set_multi_timeout(time_point due, caf::abstract_actor* actor, caf::atom_value type,
                                  std::uint64_t timeout_id) {
    auto entry = entry_of(LoopTimers::Kind::multi, actor->ctrl(), timeout_id);
    entry.type = type;
    entry.timeout_id = timeout_id;
    put(due, std::move(entry));
}

void LoopClock::set_request_timeout(time_point due, caf::abstract_actor* actor, caf::message_id request) {
    auto entry = entry_of(LoopTimers::Kind::request, actor->ctrl(), request.integer_value());
    entry.request = request;
    put(due, std::move(entry));
}

void LoopClock::cancel_ordinary_timeout(caf::abstract_actor* actor, caf::atom_value type) {
    const auto id = actor->id();
    post_([this, id, type] { timers_.cancel(id, LoopTimers::Kind::ordinary, static_cast<std::uint64_t>(type)); });
}

void LoopClock::cancel_request_timeout(caf::abstract_actor* actor, caf::message_id request) {
    const auto id = actor->id();
    post_([this, id, request] { timers_.cancel(id, LoopTimers::Kind::request, request.integer_value()); });
}

void LoopClock::cancel_timeouts(caf::abstract_actor* actor) {
    const auto id = actor->id();
    post_([this, id] { timers_.cancel_actor(id); });
}

void LoopClock::schedule_message(time_point due, caf::strong_actor_ptr receiver, caf::mailbox_element_ptr content) {
    auto entry = entry_of(LoopTimers::Kind::message, std::move(receiver), 0);
    entry.content = std::move(content);
    put(due, std::move(entry));
}

void LoopClock::schedule_message(time_point due, caf::group target, caf::strong_actor_ptr sender,
                                 caf::message content) {
    auto entry = entry_of(LoopTimers::Kind::group_message, std::move(sender), 0);
    entry.group = std::move(target);
    entry.message = std::move(content);
    put(due, std::move(entry));
}

void LoopClock::cancel_all() {
    post_([this] { timers_.clear(); });
}

}  // namespace cmirror
