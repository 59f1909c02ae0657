// A node's kernel as far as a mirror log sees it: tasks, and requests to the daemon (spec/kernel.md, "Transport").
#pragma once

#include <coroutine>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "messages/kernel_request.hpp"
#include "tests/sim/event_queue.hpp"
#include "tests/sim/random.hpp"
#include "tests/sim/task.hpp"

namespace cmirror::sim {

class MappedDevice;
class World;
struct Node;

/// What a request brought: error 0 or a negative errno, and the integers of the reply.
struct Answer {
    int error = 0;
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    /// Bytes of payload.
    std::size_t size = 0;
    /// Nobody listened; else it is the daemon's answer.
    bool unheard = false;
};

/// Lives from the power coming on to its going off.
class Kernel {
  public:
    explicit Kernel(Node& node);
    ~Kernel();
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    Node& node() { return node_; }
    World& world() { return world_; }
    Random& random();

    // -- tasks
    void start(Co<> task) { tasks_.start(std::move(task)); }
    struct Sleep {
        Kernel& kernel;
        Instant time;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> task) { kernel.wake_in(time, kernel.park(task)); }
        void await_resume() const noexcept {}
    };
    Sleep sleep(Instant time) { return {*this, time}; }
    /// A task waits under the number given back until wake() is called with it; a number that nobody waits under (any
    /// more) is ignored.
    std::uint64_t park(std::coroutine_handle<> task);
    void wake(std::uint64_t number);
    void wake_in(Instant time, std::uint64_t number);

    // -- requests
    /// One request, sent again every 15 s until it is answered; -ESRCH if nobody listens. `room` is the size of the
    /// caller's buffer for the payload, in bytes.
    /// `fits`: the daemon's receive buffer has just been read, so this request is not lost in it.
    Co<Answer> consult(KernelRequest request, std::size_t room, bool fits = false);
    /// A frame from the daemon; it takes effect after a while.
    void frame_from_daemon(std::vector<std::byte> frame);

    /// IS_REMOTE_RECOVERING may be asked now: at most 4 times a second over all mirrors.
    bool may_ask_recovering();
    /// A kernel pointer: now and then that of an instance that is gone.
    Luid new_luid();
    void luid_is_free(Luid luid) { free_luids_.push_back(luid); }

    std::vector<std::unique_ptr<MappedDevice>>& devices() { return devices_; }
    std::size_t waiting_requests() const { return waiting_.size(); }
    /// The request that has waited longest, or 0.
    Instant oldest_request() const;

  private:
    struct Waiting {
        KernelRequest request;
        std::size_t room = 0;
        std::uint64_t parked = 0;
        Instant since{};
        bool answered = false;
        Answer answer;
    };
    struct AwaitReply {
        Kernel& kernel;
        std::uint32_t seq;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> task);
        /// True if a reply came.
        bool await_resume() const;
    };

    /// False if nobody listens. `copies`: how often the daemon got it.
    bool send(const KernelRequest& request, bool fits, unsigned& copies);

    Node& node_;
    World& world_;
    std::map<std::uint32_t, Waiting> waiting_;
    /// When the latest reply so far takes effect.
    Instant last_effect_{};
    std::uint32_t next_seq_ = 1;
    std::uint64_t next_luid_;
    std::vector<Luid> free_luids_;
    Instant ask_again_{};
    std::unordered_map<std::uint64_t, std::coroutine_handle<>> parked_;
    std::vector<std::unique_ptr<MappedDevice>> devices_;
    /// Last: tasks use all the others until they are destroyed.
    TaskSet tasks_;
};

/// Tasks wait until something happens.
class Signal {
  public:
    explicit Signal(Kernel& kernel) : kernel_(kernel) {}

    struct Wait {
        Signal& signal;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> task) { signal.parked_.push_back(signal.kernel_.park(task)); }
        void await_resume() const noexcept {}
    };
    Wait wait() { return {*this}; }
    void notify() {
        for (const std::uint64_t number : std::exchange(parked_, {}))
            kernel_.wake_in(Instant{0}, number);
    }

  private:
    Kernel& kernel_;
    std::vector<std::uint64_t> parked_;
};

}  // namespace cmirror::sim
