// A CAF scheduler module whose only worker is an event loop: a request reaches the actor that owns the state, and its
// answer the descriptor, without a change of thread.
#pragma once

#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "adapters/event_loop/descriptor_set.hpp"
#include "adapters/event_loop/loop_clock.hpp"
#include "adapters/unique_fd.hpp"
#include "messages/fd_watcher.hpp"

namespace cmirror {

/// What a loop has done so far.
struct LoopCounters {
    std::uint64_t turns = 0;              ///< looks at the descriptors
    std::uint64_t sleeps = 0;             ///< turns that could block
    std::uint64_t jobs = 0;               ///< times an actor was resumed
    std::uint64_t descriptors_ready = 0;  ///< readiness messages handled
    std::uint64_t timers_fired = 0;
    std::uint64_t external = 0;  ///< jobs and calls handed over by other threads
    std::uint64_t wakeups = 0;   ///< of those, how many had to wake the loop
};

/// Load it with `cfg.load<EventLoop>()` before the actor system is made; every plain sys.spawn() then runs in its one
/// thread, next to the descriptors. Detached and blocking actors keep threads of their own.
///
/// The thread starts with the actor system, so signals are to be blocked and the process forked before that. Its stack
/// has the default size of the process: handlers of actors must not recurse or keep large buffers on the stack (main
/// sets 256 KiB, lock_memory()). Between two looks at the descriptors it does a bounded amount of work, whatever the
/// actors send each other.
///
/// Configuration: `event-loop.spin-us` (std::int64_t, default 0), set with caf::put(config.content, ...): how long to
/// look at the descriptors before blocking. Hides wake-ups across processors at the cost of processor time.
class EventLoop final : public caf::scheduler::abstract_coordinator, public FdWatcher {
  public:
    /// Messages one actor handles before the next one has its turn.
    static constexpr std::size_t messages_per_resume_max = 16;
    /// Actors resumed between two looks at the descriptors.
    static constexpr std::size_t jobs_per_turn_max = 64;
    /// Timers fired between two looks at the descriptors.
    static constexpr std::size_t timers_per_turn_max = 256;
    /// Turns that are left to what still runs when the system ends; what remains is thrown away.
    static constexpr std::size_t final_turns_max = 64;

    explicit EventLoop(caf::actor_system& system);
    ~EventLoop() override;

    /// For CAF's cfg.load.
    template <class Types>
    static caf::actor_system::module* make(caf::actor_system& system, Types) {
        return new EventLoop(system);
    }
    /// The loop of a system that was configured with one.
    static EventLoop& of(caf::actor_system& system);

    // FdWatcher, for actors that this loop runs.
    void watch(int descriptor, caf::actor owner) override;
    void rearm(int descriptor) override;
    /// To be called before `descriptor` is closed.
    void unwatch(int descriptor) override;

    /// Runs `call` in the loop's thread: at once if called there, else soon. May be called from any thread.
    void post(std::function<void()> call);
    bool in_loop() const { return std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed); }
    /// May be called from any thread.
    LoopCounters counters() const;
    std::chrono::microseconds spin() const { return spin_; }

    caf::actor_clock& clock() noexcept override { return clock_; }

  protected:
    void enqueue(caf::resumable* job) override;
    void start() override;
    void stop() override;

  private:
    /// What actors see as their context.
    class Unit final : public caf::execution_unit {
      public:
        explicit Unit(EventLoop& loop) : caf::execution_unit(&loop.system()), loop_(loop) {}
        void exec_later(caf::resumable* job) override { loop_.enqueue(job); }

      private:
        EventLoop& loop_;
    };
    /// What other threads handed over.
    struct Mail {
        std::vector<caf::resumable*> jobs;
        std::vector<std::function<void()>> calls;
    };
    using Counter = std::atomic<std::uint64_t>;

    template <class Change>
    void hand_over(Change change);
    void run();
    void run_jobs();
    void fire_timers();
    /// Takes the mail; returns whether the loop may sleep, which is decided under the same lock.
    bool take_mail(bool& quit);
    void look(bool may_sleep);

    Unit unit_;
    LoopClock clock_;
    std::chrono::microseconds spin_{0};
    UniqueFd wakeup_;
    std::thread thread_;
    std::atomic<std::thread::id> thread_id_{};

    // The loop's thread only.
    DescriptorSet descriptors_;
    std::deque<caf::resumable*> jobs_;
    Mail taken_;
    std::function<void(caf::scheduled_actor&, caf::mailbox_element&)> on_ready_;

    // Any thread, under the lock.
    std::mutex mutex_;
    Mail mail_;
    bool sleeping_ = false;
    bool quit_ = false;

    Counter turns_{0}, sleeps_{0}, jobs_run_{0}, descriptors_ready_{0}, timers_fired_{0}, external_{0}, wakeups_{0};
};

}  // namespace cmirror
