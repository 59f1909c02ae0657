#include "adapters/event_loop/loop_timers.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/error.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>
#include <utility>
#include <vector>

namespace cmirror {
namespace {

bool is_cancellable(LoopTimers::Kind kind) {
    return kind == LoopTimers::Kind::ordinary || kind == LoopTimers::Kind::multi || kind == LoopTimers::Kind::request;
}

void ship(LoopTimers::Entry& entry) {
    switch (entry.kind) {
        case LoopTimers::Kind::ordinary:
        case LoopTimers::Kind::multi:
            entry.actor->enqueue(entry.actor, caf::make_message_id(),
                                 caf::make_message(caf::timeout_msg{entry.type, entry.timeout_id}), nullptr);
            break;
        case LoopTimers::Kind::request:
            entry.actor->enqueue(entry.actor, entry.request,
                                 caf::make_message(caf::make_error(caf::sec::request_timeout)), nullptr);
            break;
        case LoopTimers::Kind::message:
            entry.actor->enqueue(std::move(entry.content), nullptr);
            break;
        case LoopTimers::Kind::group_message:
            entry.group.get()->enqueue(entry.actor, caf::make_message_id(), std::move(entry.message), nullptr);
            break;
    }
}

}  // namespace

void LoopTimers::add(TimePoint due, Entry entry) {
    if (entry.kind == Kind::ordinary) cancel(entry.actor->id(), entry.kind, entry.key);
    const bool cancellable = is_cancellable(entry.kind);
    const auto key = cancellable ? IndexKey{entry.actor->id(), entry.kind, entry.key} : IndexKey{};
    const auto position = due_.emplace(due, std::move(entry));
    position->second.in_index = cancellable ? index_.emplace(key, position) : index_.end();
}

void LoopTimers::cancel(caf::actor_id actor, Kind kind, std::uint64_t key) {
    const auto found = index_.find(IndexKey{actor, kind, key});
    if (found == index_.end()) return;
    // The reference may be the actor's last: let it go when both maps are consistent again.
    const auto released = std::move(found->second->second);
    due_.erase(found->second);
    index_.erase(found);
}

void LoopTimers::cancel_actor(caf::actor_id actor) {
    std::vector<Entry> released;
    auto position = index_.lower_bound(IndexKey{actor, Kind::ordinary, 0});
    while (position != index_.end() && std::get<0>(position->first) == actor) {
        released.push_back(std::move(position->second->second));
        due_.erase(position->second);
        position = index_.erase(position);
    }
}

void LoopTimers::clear() {
    index_.clear();
    const auto released = std::exchange(due_, Due{});
}

std::size_t LoopTimers::fire(TimePoint now, std::size_t count_max) {
    std::size_t count = 0;
    while (count < count_max && !due_.empty() && due_.begin()->first <= now) {
        const auto first = due_.begin();
        Entry entry = std::move(first->second);
        if (is_cancellable(entry.kind)) index_.erase(entry.in_index);
        due_.erase(first);
        ship(entry);
        ++count;
    }
    return count;
}

}  // namespace cmirror
