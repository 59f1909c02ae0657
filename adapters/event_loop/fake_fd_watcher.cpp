#include "adapters/event_loop/fake_fd_watcher.hpp"

#include <poll.h>

#include <caf/send.hpp>
#include <utility>

#include "messages/invariant.hpp"

namespace cmirror {

void FakeFdWatcher::watch(int descriptor, caf::actor owner) {
    const bool is_new = watched_.emplace(descriptor, Watched{std::move(owner)}).second;
    CMIRROR_INVARIANT(is_new);
}

void FakeFdWatcher::rearm(int descriptor) {
    if (const auto found = watched_.find(descriptor); found != watched_.end()) found->second.armed = true;
}

void FakeFdWatcher::unwatch(int descriptor) {
    const auto found = watched_.find(descriptor);
    if (found == watched_.end()) return;
    const auto released = std::move(found->second);
    watched_.erase(found);
}

bool FakeFdWatcher::is_readable(int descriptor) const {
    if (FakeDescriptors::is_fake(descriptor)) return descriptors_.is_readable(descriptor);
    pollfd entry{descriptor, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

bool FakeFdWatcher::is_armed(int descriptor) const {
    const auto found = watched_.find(descriptor);
    return found != watched_.end() && found->second.armed;
}

std::vector<int> FakeFdWatcher::ready() const {
    std::vector<int> result;
    for (const auto& [descriptor, watched] : watched_)
        if (watched.armed && is_readable(descriptor)) result.push_back(descriptor);
    return result;
}

bool FakeFdWatcher::notify(int descriptor) {
    const auto found = watched_.find(descriptor);
    if (found == watched_.end() || !found->second.armed) return false;
    found->second.armed = false;
    caf::anon_send(found->second.owner, descriptor_ready_atom::value, descriptor);
    return true;
}

std::size_t FakeFdWatcher::poll_now() {
    const auto now = ready();
    for (const int descriptor : now)
        notify(descriptor);
    return now.size();
}

void FakeFdWatcher::clear() {
    const auto released = std::exchange(watched_, {});
}

}  // namespace cmirror
