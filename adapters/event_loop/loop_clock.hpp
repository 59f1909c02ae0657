// CAF's clock for the actors of one event loop: real time, timers kept by the loop itself.
#pragma once

#include <caf/actor_clock.hpp>
#include <functional>

#include "adapters/event_loop/loop_timers.hpp"

namespace cmirror {

/// All calls may come from any thread: what they change is changed in the loop's thread, by `post`.
class LoopClock final : public caf::actor_clock {
  public:
    /// Runs a function in the loop's thread, at once if called there.
    using Post = std::function<void(std::function<void()>)>;

    explicit LoopClock(Post post) : post_(std::move(post)) {}

    void set_ordinary_timeout(time_point due, caf::abstract_actor* actor, caf::atom_value type,
                              std::uint64_t timeout_id) override;
    void set_multi_timeout(time_point due, caf::abstract_actor* actor, caf::atom_value type,
                           std::uint64_t timeout_id) override;
    void set_request_timeout(time_point due, caf::abstract_actor* actor, caf::message_id request) override;
    void cancel_ordinary_timeout(caf::abstract_actor* actor, caf::atom_value type) override;
    /// An answered request leaves its timer behind unless its asker calls this (CAF does not).
    void cancel_request_timeout(caf::abstract_actor* actor, caf::message_id request) override;
    void cancel_timeouts(caf::abstract_actor* actor) override;
    void schedule_message(time_point due, caf::strong_actor_ptr receiver, caf::mailbox_element_ptr content) override;
    void schedule_message(time_point due, caf::group target, caf::strong_actor_ptr sender,
                          caf::message content) override;
    void cancel_all() override;

    /// For the loop's thread only.
    LoopTimers& timers() { return timers_; }

  private:
    void put(time_point due, LoopTimers::Entry entry);

    Post post_;
    LoopTimers timers_;
};

}  // namespace cmirror
