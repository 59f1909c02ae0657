// An event loop, and actors and descriptors to try it with.
#pragma once

#include "adapters/event_loop/event_loop.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace cmirror {
using tick_atom = caf::atom_constant<caf::atom("tick")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using where_atom = caf::atom_constant<caf::atom("where")>;

/// Nothing here takes that long: past it something is broken.
inline constexpr std::chrono::seconds deadline{20};

inline caf::behavior adder(caf::event_based_actor*) {
    return {[](int a, int b) { return a + b; }, [](where_atom) { return static_cast<std::uint64_t>(::gettid()); }};
}

inline caf::behavior mute(caf::event_based_actor* self) {
    return {[self](tick_atom) -> caf::response_promise { return self->make_response_promise(); }};
}

struct Pair {
    UniqueFd left, right;
    explicit Pair(int type = SOCK_DGRAM) {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0) {
            left = UniqueFd{ends[0]};
            right = UniqueFd{ends[1]};
        }
    }
};

class EventLoopTests : public ::testing::Test {
  protected:
    EventLoopTests() {
        config.load<EventLoop>();
        system = std::make_unique<caf::actor_system>(config);
    }
    void TearDown() override { system.reset(); }

    EventLoop& loop() { return EventLoop::of(*system); }

    template <class Value>
    static bool arrives(std::future<Value>& future) {
        return future.wait_for(deadline) == std::future_status::ready;
    }

    caf::actor_system_config config;
    std::unique_ptr<caf::actor_system> system;
};

}  // namespace cmirror
