#include "adapters/event_loop/descriptor_set.hpp"

#include <sys/epoll.h>
#include <time.h>

#include <array>
#include <caf/scheduled_actor.hpp>
#include <cerrno>
#include <utility>

#include "messages/fd_watcher.hpp"
#include "messages/invariant.hpp"

namespace cmirror {
namespace {

/// Descriptors looked at in one call: what is left is found by the next one.
constexpr int events_max = 64;

timespec timespec_of(std::chrono::nanoseconds duration) {
    const auto nanoseconds = duration.count() > 0 ? duration.count() : 0;
    timespec result{};
    result.tv_sec = static_cast<time_t>(nanoseconds / 1'000'000'000);
    result.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
    return result;
}

}  // namespace

DescriptorSet::DescriptorSet() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    CMIRROR_INVARIANT(epoll_.is_open());
}

void DescriptorSet::add_to_kernel(int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    const int outcome = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event);
    CMIRROR_INVARIANT(outcome == 0);
}

void DescriptorSet::remove_from_kernel(int descriptor) {
    // A descriptor that was closed has left by itself.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

void DescriptorSet::watch_wakeup(int descriptor) {
    CMIRROR_INVARIANT(wakeup_ == -1);
    wakeup_ = descriptor;
    add_to_kernel(descriptor);
}

DescriptorSet::Watched* DescriptorSet::find(int descriptor) const {
    const auto place = static_cast<std::size_t>(descriptor);
    return place < watched_.size() ? watched_[place].get() : nullptr;
}

void DescriptorSet::watch(int descriptor, caf::actor owner) {
    CMIRROR_INVARIANT(descriptor >= 0 && descriptor != wakeup_);
    CMIRROR_INVARIANT(find(descriptor) == nullptr);
    auto* const handler = dynamic_cast<caf::scheduled_actor*>(caf::actor_cast<caf::abstract_actor*>(owner));
    CMIRROR_INVARIANT(handler != nullptr);
    const auto place = static_cast<std::size_t>(descriptor);
    if (place >= watched_.size()) watched_.resize(place + 1);
    auto note =
        caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, descriptor_ready_atom::value, descriptor);
    watched_[place] = std::make_unique<Watched>(std::move(owner), handler, std::move(note));
    ++size_;
    add_to_kernel(descriptor);
}

void DescriptorSet::rearm(int descriptor) {
    auto* const watched = find(descriptor);
    if (watched == nullptr) return;
    watched->armed = true;
    if (!watched->in_kernel) {
        watched->in_kernel = true;
        add_to_kernel(descriptor);
    }
}

void DescriptorSet::unwatch(int descriptor) {
    if (find(descriptor) == nullptr) return;
    // The reference may be the owner's last, and its end may call us: let it go when the set is consistent again.
    auto released = std::move(watched_[static_cast<std::size_t>(descriptor)]);
    --size_;
    if (released->in_kernel) remove_from_kernel(descriptor);
    if (telling_) released_.push_back(std::move(released));
}

void DescriptorSet::clear() {
    const auto released = std::exchange(watched_, {});
    size_ = 0;
    for (std::size_t descriptor = 0; descriptor < released.size(); ++descriptor)
        if (released[descriptor] != nullptr && released[descriptor]->in_kernel)
            remove_from_kernel(static_cast<int>(descriptor));
}

std::size_t DescriptorSet::wait(std::optional<std::chrono::nanoseconds> timeout, bool& woken,
                                const std::function<void(caf::scheduled_actor&, caf::mailbox_element&)>& ready) {
    std::array<epoll_event, events_max> events;
    const timespec limit = timespec_of(timeout.value_or(std::chrono::nanoseconds{0}));
    const int count =
        ::epoll_pwait2(epoll_.get(), events.data(), events_max, timeout.has_value() ? &limit : nullptr, nullptr);
    CMIRROR_INVARIANT(count >= 0 || errno == EINTR);
    woken = false;
    std::size_t reported = 0;
    telling_ = true;
    for (int i = 0; i < count; ++i) {
        const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
        if (descriptor == wakeup_) {
            woken = true;
            continue;
        }
        auto* const watched = find(descriptor);
        // An owner that was told before may have let it go.
        if (watched == nullptr) continue;
        if (!watched->armed) {
            // Its owner has not looked yet, and a hang-up is reported whatever one asks for: take it out.
            remove_from_kernel(descriptor);
            watched->in_kernel = false;
            continue;
        }
        watched->armed = false;
        ready(*watched->handler, *watched->note);
        ++reported;
    }
    telling_ = false;
    released_.clear();
    return reported;
}

}  // namespace cmirror
