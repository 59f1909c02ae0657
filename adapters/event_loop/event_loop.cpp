#include "adapters/event_loop/event_loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <caf/actor_system_config.hpp>
#include <caf/logger.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/send.hpp>
#include <cerrno>
#include <optional>
#include <utility>

#include "messages/invariant.hpp"

namespace cmirror {
namespace {

/// For counters that the loop's thread alone changes: no locked instruction.
void count(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace

EventLoop::EventLoop(caf::actor_system& system)
    : abstract_coordinator(system),
      unit_(*this),
      clock_([this](std::function<void()> call) { post(std::move(call)); }),
      wakeup_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    CMIRROR_INVARIANT(wakeup_.is_open());
    descriptors_.watch_wakeup(wakeup_.get());
    spin_ = std::chrono::microseconds{caf::get_or(system.config(), "event-loop.spin-us", std::int64_t{0})};
    // As CAF's own multiplexer does with its brokers: the owner handles the message here and now, without the way
    // through its mailbox. No actor runs while the loop looks at the descriptors, so none is entered twice.
    on_ready_ = [this](caf::scheduled_actor& owner, caf::mailbox_element& note) { owner.activate(&unit_, note); };
}

EventLoop::~EventLoop() = default;

EventLoop& EventLoop::of(caf::actor_system& system) {
    auto* loop = dynamic_cast<EventLoop*>(&system.scheduler());
    CMIRROR_INVARIANT(loop != nullptr);
    return *loop;
}

void EventLoop::watch(int descriptor, caf::actor owner) {
    CMIRROR_INVARIANT(in_loop());
    descriptors_.watch(descriptor, std::move(owner));
}

void EventLoop::rearm(int descriptor) {
    CMIRROR_INVARIANT(in_loop());
    descriptors_.rearm(descriptor);
}

void EventLoop::unwatch(int descriptor) {
    CMIRROR_INVARIANT(in_loop());
    descriptors_.unwatch(descriptor);
}

LoopCounters EventLoop::counters() const {
    const auto value = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
    return {value(turns_),        value(sleeps_),   value(jobs_run_), value(descriptors_ready_),
            value(timers_fired_), value(external_), value(wakeups_)};
}

template <class Change>
void EventLoop::hand_over(Change change) {
    bool wake = false;
    {
        const std::lock_guard guard{mutex_};
        change();
        wake = std::exchange(sleeping_, false);
    }
    external_.fetch_add(1, std::memory_order_relaxed);
    if (!wake) return;
    wakeups_.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t one = 1;
    while (::write(wakeup_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void EventLoop::post(std::function<void()> call) {
    if (in_loop())
        call();
    else
        hand_over([&] { mail_.calls.push_back(std::move(call)); });
}

void EventLoop::enqueue(caf::resumable* job) {
    if (in_loop())
        jobs_.push_back(job);
    else
        hand_over([&] { mail_.jobs.push_back(job); });
}

void EventLoop::start() {
    thread_ = std::thread{[this] {
        thread_id_ = std::this_thread::get_id();
        system().thread_started();
        run();
        system().thread_terminates();
    }};
    // CAF's printer, in a thread of its own.
    abstract_coordinator::start();
}

void EventLoop::stop() {
    stop_actors();
    hand_over([this] { quit_ = true; });
    thread_.join();
    // From here on this thread is the loop's: what is left is thrown away here.
    thread_id_ = std::this_thread::get_id();
    bool quit = false;
    do {
        clock_.timers().clear();
        descriptors_.clear();
        take_mail(quit);
        while (!jobs_.empty()) {
            auto* job = jobs_.front();
            jobs_.pop_front();
            cleanup_and_release(job);
        }
    } while (!clock_.timers().empty() || !jobs_.empty());
}

void EventLoop::run_jobs() {
    const auto messages_max = std::min(max_throughput(), messages_per_resume_max);
    std::size_t done = 0;
    for (; done < jobs_per_turn_max && !jobs_.empty(); ++done) {
        auto* job = jobs_.front();
        jobs_.pop_front();
        switch (job->resume(&unit_, messages_max)) {
            case caf::resumable::resume_later:
                jobs_.push_back(job);
                break;
            case caf::resumable::done:
            case caf::resumable::awaiting_message:
                caf::intrusive_ptr_release(job);
                break;
            case caf::resumable::shutdown_execution_unit:
                break;
        }
    }
    if (done != 0) count(jobs_run_, done);
    // Whoever spawns an actor gives its thread CAF's logger, which then takes a lock twice a message. Nothing is logged
    // with it (a build option of CAF), so this thread does without.
    if (caf::logger::current_logger() != nullptr) caf::logger::set_current_actor_system(nullptr);
}

void EventLoop::fire_timers() {
    auto& timers = clock_.timers();
    if (timers.empty()) return;
    const auto fired = timers.fire(clock_.now(), timers_per_turn_max);
    if (fired != 0) count(timers_fired_, fired);
}

bool EventLoop::take_mail(bool& quit) {
    CMIRROR_INVARIANT(taken_.jobs.empty() && taken_.calls.empty());
    bool may_sleep = false;
    {
        const std::lock_guard guard{mutex_};
        std::swap(taken_, mail_);
        quit = quit_;
        // One decision: blocking without sleeping_ set would lose a wake-up.
        may_sleep = taken_.jobs.empty() && taken_.calls.empty() && jobs_.empty() && !quit;
        sleeping_ = may_sleep;
    }
    jobs_.insert(jobs_.end(), taken_.jobs.begin(), taken_.jobs.end());
    taken_.jobs.clear();
    for (auto& call : taken_.calls)
        call();
    taken_.calls.clear();
    return may_sleep;
}

void EventLoop::look(bool may_sleep) {
    bool woken = false;
    std::size_t ready = 0;
    if (may_sleep && spin_.count() > 0) {
        const auto end = std::chrono::steady_clock::now() + spin_;
        do
            ready = descriptors_.wait(std::chrono::nanoseconds{0}, woken, on_ready_);
        while (ready == 0 && !woken && std::chrono::steady_clock::now() < end);
        may_sleep = ready == 0 && !woken;
    }
    if (ready == 0) {
        std::optional<std::chrono::nanoseconds> timeout{0};
        auto& timers = clock_.timers();
        if (may_sleep) timeout.reset();
        if (may_sleep && !timers.empty()) timeout = timers.next() - clock_.now();
        if (may_sleep) count(sleeps_);
        bool woken_late = false;
        ready = descriptors_.wait(timeout, woken_late, on_ready_);
        woken = woken || woken_late;
    }
    if (woken) {
        std::uint64_t value = 0;
        while (::read(wakeup_.get(), &value, sizeof value) < 0 && errno == EINTR) {
        }
    }
    if (ready != 0) count(descriptors_ready_, ready);
}

void EventLoop::run() {
    std::size_t final_turns = 0;
    for (;;) {
        run_jobs();
        fire_timers();
        bool quit = false;
        const bool may_sleep = take_mail(quit);
        // A call just taken may have queued a job: only then is jobs_ not empty though the loop may sleep.
        if (quit && (jobs_.empty() || ++final_turns > final_turns_max)) return;
        count(turns_);
        look(may_sleep && jobs_.empty());
    }
}

}  // namespace cmirror
