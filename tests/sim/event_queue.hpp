// What happens when, in simulated time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace cmirror::sim {

using Instant = std::chrono::nanoseconds;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;
using std::chrono_literals::operator""min;

/// Earliest first; what is due at the same time, in the order in which it was added.
class EventQueue {
  public:
    using Action = std::function<void()>;

    void add(Instant at, Action action) {
        events_.push_back({at, next_++, std::move(action)});
        std::push_heap(events_.begin(), events_.end(), later);
    }
    bool empty() const { return events_.empty(); }
    std::size_t size() const { return events_.size(); }
    Instant next() const { return events_.front().at; }
    Action take() {
        std::pop_heap(events_.begin(), events_.end(), later);
        Action action = std::move(events_.back().action);
        events_.pop_back();
        return action;
    }

  private:
    struct Event {
        Instant at;
        std::uint64_t order;
        Action action;
    };
    static bool later(const Event& a, const Event& b) { return a.at != b.at ? a.at > b.at : a.order > b.order; }

    std::vector<Event> events_;
    std::uint64_t next_ = 0;
};

}  // namespace cmirror::sim
