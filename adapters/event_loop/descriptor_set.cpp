#include "adapters/event_loop/descriptor_set.hpp"

#include <sys/epoll.h>
#include <time.h>

#include <array>
#include <caf/make_message.hpp>
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

void DescriptorSet::watch(int descriptor, caf::actor owner) {
    CMIRROR_INVARIANT(descriptor >= 0 && descriptor != wakeup_);
    auto note = caf::make_message(descriptor_ready_atom::value, descriptor);
    const bool is_new = watched_.emplace(descriptor, Watched{std::move(owner), std::move(note)}).second;
    CMIRROR_INVARIANT(is_new);
    add_to_kernel(descriptor);
}

void DescriptorSet::rearm(int descriptor) {
    const auto found = watched_.find(descriptor);
    if (found == watched_.end()) return;
    auto& watched = found->second;
    watched.armed = true;
    if (!watched.in_kernel) {
        watched.in_kernel = true;
        add_to_kernel(descriptor);
    }
}

void DescriptorSet::unwatch(int descriptor) {
    const auto found = watched_.find(descriptor);
    if (found == watched_.end()) return;
    // The reference may be the owner's last, and its end may call us: let it go when the map is consistent again.
    const auto released = std::move(found->second);
    watched_.erase(found);
    if (released.in_kernel) remove_from_kernel(descriptor);
}

void DescriptorSet::clear() {
    const auto released = std::exchange(watched_, {});
    for (const auto& [descriptor, watched] : released)
        if (watched.in_kernel) remove_from_kernel(descriptor);
}

std::size_t DescriptorSet::wait(std::optional<std::chrono::nanoseconds> timeout, bool& woken,
                                const std::function<void(const caf::actor&, const caf::message&)>& ready) {
    std::array<epoll_event, events_max> events;
    const timespec limit = timespec_of(timeout.value_or(std::chrono::nanoseconds{0}));
    const int count =
        ::epoll_pwait2(epoll_.get(), events.data(), events_max, timeout.has_value() ? &limit : nullptr, nullptr);
    CMIRROR_INVARIANT(count >= 0 || errno == EINTR);
    woken = false;
    std::size_t reported = 0;
    for (int i = 0; i < count; ++i) {
        const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
        if (descriptor == wakeup_) {
            woken = true;
            continue;
        }
        const auto found = watched_.find(descriptor);
        CMIRROR_INVARIANT(found != watched_.end());
        auto& watched = found->second;
        if (!watched.armed) {
            // Its owner has not looked yet, and a hang-up is reported whatever one asks for: take it out.
            remove_from_kernel(descriptor);
            watched.in_kernel = false;
            continue;
        }
        watched.armed = false;
        ready(watched.owner, watched.note);
        ++reported;
    }
    return reported;
}

}  // namespace cmirror
