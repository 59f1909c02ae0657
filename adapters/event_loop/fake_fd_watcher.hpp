// Stands in for the event loop where CAF's test coordinator runs the actors.
#pragma once

#include <caf/actor.hpp>
#include <cstddef>
#include <map>
#include <vector>

#include "adapters/event_loop/fake_descriptors.hpp"
#include "messages/fd_watcher.hpp"

namespace cmirror {

/// Sends readiness when told to, lowest descriptor first: one-shot, as the event loop does.
class FakeFdWatcher final : public FdWatcher {
  public:
    /// Fake descriptors are looked up in `descriptors`, which must live longer; all others are asked with poll(2).
    explicit FakeFdWatcher(FakeDescriptors& descriptors) : descriptors_(descriptors) {}

    void watch(int descriptor, caf::actor owner) override;
    void rearm(int descriptor) override;
    void unwatch(int descriptor) override;

    /// Tells the owner of every armed descriptor that is readable now; returns how many.
    std::size_t poll_now();
    /// Tells the owner of `descriptor`, readable or not; false if it is not armed.
    bool notify(int descriptor);
    /// The armed descriptors that are readable now, for a simulation that chooses among them.
    std::vector<int> ready() const;

    bool is_watched(int descriptor) const { return watched_.contains(descriptor); }
    bool is_armed(int descriptor) const;
    std::size_t size() const { return watched_.size(); }
    /// Lets all owners go.
    void clear();

  private:
    struct Watched {
        caf::actor owner;
        bool armed = true;
    };

    bool is_readable(int descriptor) const;

    FakeDescriptors& descriptors_;
    std::map<int, Watched> watched_;
};

}  // namespace cmirror
