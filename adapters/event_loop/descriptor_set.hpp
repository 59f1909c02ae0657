// The descriptors that one event loop watches.
#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <caf/mailbox_element.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "adapters/unique_fd.hpp"

namespace cmirror {

/// One-shot watching with epoll: watch, rearm and unwatch cost O(1), waiting costs what is ready and not what is
/// watched (measured: a look at 220 descriptors takes ppoll 11 us and epoll 0.3 us, at one 0.25 and 0.3 us).
/// Disarming is lazy: a descriptor whose owner has armed it again before the loop looks costs no system call.
/// Belongs to the loop's thread.
class DescriptorSet {
  public:
    DescriptorSet();

    /// A descriptor that epoll cannot watch (a regular file) or that is watched already is a broken invariant, and so
    /// is an owner that is not event-based.
    void watch(int descriptor, caf::actor owner);
    /// Nothing happens for one that is not watched.
    void rearm(int descriptor);
    /// Call it before the descriptor is closed. Nothing happens for one that is not watched.
    void unwatch(int descriptor);
    void clear();

    /// Watches the loop's own wake-up descriptor: it stays armed and is never reported.
    void watch_wakeup(int descriptor);

    /// Waits until a descriptor is ready, at most `timeout` (nothing: for ever). Calls `ready` once for each armed
    /// descriptor that is readable or has failed, and disarms it; `ready` may watch, rearm and unwatch. Returns how
    /// many there were; `woken` tells whether the wake-up descriptor was among what was ready.
    std::size_t wait(std::optional<std::chrono::nanoseconds> timeout, bool& woken,
                     const std::function<void(caf::scheduled_actor& owner, caf::mailbox_element& note)>& ready);

    std::size_t size() const { return size_; }

  private:
    struct Watched {
        Watched(caf::actor its_owner, caf::scheduled_actor* its_handler, caf::mailbox_element_ptr its_note)
            : owner(std::move(its_owner)), handler(its_handler), note(std::move(its_note)) {}

        /// Strong: an actor that only its descriptor knows must not be collected.
        caf::actor owner;
        /// The same one, as what can be made to handle a message.
        caf::scheduled_actor* handler = nullptr;
        /// What its owner is told, made once.
        caf::mailbox_element_ptr note;
        bool armed = true;
        bool in_kernel = true;
    };

    /// Nothing if it is not watched.
    Watched* find(int descriptor) const;
    void add_to_kernel(int descriptor);
    void remove_from_kernel(int descriptor);

    UniqueFd epoll_;
    int wakeup_ = -1;
    /// By descriptor: the system gives out the lowest free numbers.
    std::vector<std::unique_ptr<Watched>> watched_;
    std::size_t size_ = 0;
    /// Unwatched while wait() told of what is ready: the owner's handler may still run.
    std::vector<std::unique_ptr<Watched>> released_;
    bool telling_ = false;
};

}  // namespace cmirror
