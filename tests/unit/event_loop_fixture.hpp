// What the tests of the event loop share: a system that runs on one, and words for its actors.
#pragma once

#include <gtest/gtest.h>

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <future>
#include <memory>

#include "adapters/event_loop/event_loop.hpp"

namespace cmirror::test {

using tick_atom = caf::atom_constant<caf::atom("tick")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using where_atom = caf::atom_constant<caf::atom("where")>;

/// Nothing here takes that long: past it something is broken.
inline constexpr auto deadline = std::chrono::seconds{20};

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

}  // namespace cmirror::test
