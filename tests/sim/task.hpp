// Coroutines for the tasks of a simulated kernel, which block in the middle of what they do.
#pragma once

#include <coroutine>
#include <exception>
#include <list>
#include <optional>
#include <utility>

namespace cmirror::sim {

template <class T = void>
class Co;

namespace detail {

struct PromiseBase {
    std::coroutine_handle<> awaiting = std::noop_coroutine();

    struct Final {
        bool await_ready() noexcept { return false; }
        template <class P>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<P> done) noexcept {
            return done.promise().awaiting;
        }
        void await_resume() noexcept {}
    };
    std::suspend_always initial_suspend() noexcept { return {}; }
    Final final_suspend() noexcept { return {}; }
    void unhandled_exception() { std::terminate(); }
};

template <class T>
struct Promise : PromiseBase {
    std::optional<T> value;

    Co<T> get_return_object();
    void return_value(T result) { value.emplace(std::move(result)); }
    T result() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
    Co<void> get_return_object();
    void return_void() {}
    void result() {}
};

}  // namespace detail

/// Runs once it is awaited; destroying it destroys what it waits for.
template <class T>
class [[nodiscard]] Co {
  public:
    using promise_type = detail::Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    explicit Co(Handle handle) : handle_(handle) {}
    Co(Co&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Co(const Co&) = delete;
    Co& operator=(const Co&) = delete;
    Co& operator=(Co&&) = delete;
    ~Co() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
        handle_.promise().awaiting = awaiting;
        return handle_;
    }
    T await_resume() { return handle_.promise().result(); }

    void start() { handle_.resume(); }
    bool done() const { return handle_.done(); }

  private:
    Handle handle_;
};

namespace detail {

template <class T>
Co<T> Promise<T>::get_return_object() {
    return Co<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Co<void> Promise<void>::get_return_object() {
    return Co<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace detail

/// Tasks that run on their own; those that have not ended are destroyed with it.
class TaskSet {
  public:
    void start(Co<> task) {
        tasks_.remove_if([](const Co<>& t) { return t.done(); });
        tasks_.push_back(std::move(task));
        tasks_.back().start();
    }

  private:
    std::list<Co<>> tasks_;
};

}  // namespace cmirror::sim
