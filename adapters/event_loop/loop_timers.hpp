// What is due when: the timers of the actors that one event loop runs. Belongs to the loop's thread.
#pragma once

#include <caf/actor_clock.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/atom.hpp>
#include <caf/group.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>
#include <caf/message_id.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>

namespace cmirror {

/// Adding, cancelling and firing one timer cost O(log n) of the timers that wait.
class LoopTimers {
  public:
    using TimePoint = caf::actor_clock::time_point;
    enum class Kind : std::uint8_t {
        ordinary,       ///< a receive timeout: at most one an actor and type, a later one replaces it
        multi,          ///< a receive timeout among several
        request,        ///< tells the asker that no answer came
        message,        ///< a delayed message
        group_message,  ///< a delayed message to a CAF group
    };
    struct Entry;
    using Due = std::multimap<TimePoint, Entry>;
    using IndexKey = std::tuple<caf::actor_id, Kind, std::uint64_t>;
    using Index = std::multimap<IndexKey, Due::iterator>;

    struct Entry {
        Kind kind = Kind::message;
        /// The receiver, or the sender of a group message; kept alive until then.
        caf::strong_actor_ptr actor;
        /// What cancels it: the type of an ordinary timeout, the id of a multi timeout, the message id of a request.
        std::uint64_t key = 0;
        caf::atom_value type{};
        std::uint64_t timeout_id = 0;
        caf::message_id request;
        caf::mailbox_element_ptr content;
        caf::group group;
        caf::message message;
        Index::iterator in_index;
    };

    void add(TimePoint due, Entry entry);
    /// Takes one timer back, if it still waits.
    void cancel(caf::actor_id actor, Kind kind, std::uint64_t key);
    /// Takes back every timer of `actor`, but not messages that were scheduled to it.
    void cancel_actor(caf::actor_id actor);
    void clear();

    /// Fires at most `count_max` timers that are due at `now`, earliest first; returns how many.
    std::size_t fire(TimePoint now, std::size_t count_max);

    bool empty() const { return due_.empty(); }
    std::size_t size() const { return due_.size(); }
    /// When the earliest is due; there must be one.
    TimePoint next() const { return due_.begin()->first; }

  private:
    Due due_;
    Index index_;
};

}  // namespace cmirror
