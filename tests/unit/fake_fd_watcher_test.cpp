// The fake watcher under CAF's test coordinator: real and fake descriptors, one-shot.
#include "adapters/event_loop/fake_fd_watcher.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <memory>

#include "adapters/unique_fd.hpp"

namespace cmirror {
namespace {

class FakeFdWatcherTests : public ::testing::Test {
  protected:
    FakeFdWatcherTests() {
        config.set("scheduler.policy", caf::atom("testing"));
        system = std::make_unique<caf::actor_system>(config);
        owner = system->spawn([this](caf::event_based_actor*) -> caf::behavior {
            return {[this](descriptor_ready_atom, int descriptor) {
                ++told;
                last = descriptor;
            }};
        });
    }
    ~FakeFdWatcherTests() override {
        watcher.clear();
        caf::anon_send_exit(owner, caf::exit_reason::user_shutdown);
        owner = nullptr;
        run();
    }
    void run() { dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler()).run(); }

    caf::actor_system_config config;
    std::unique_ptr<caf::actor_system> system;
    FakeDescriptors descriptors;
    FakeFdWatcher watcher{descriptors};
    caf::actor owner;
    int told = 0;
    int last = -1;
};

TEST_F(FakeFdWatcherTests, readable_fake_descriptor_is_told_once) {
    const int descriptor = descriptors.open();
    watcher.watch(descriptor, owner);
    EXPECT_EQ(watcher.poll_now(), 0U);
    descriptors.set_readable(descriptor, true);
    EXPECT_EQ(watcher.poll_now(), 1U);
    EXPECT_EQ(watcher.poll_now(), 0U);
    run();
    EXPECT_EQ(told, 1);
    EXPECT_EQ(last, descriptor);
}

TEST_F(FakeFdWatcherTests, armed_again_it_is_told_again) {
    const int descriptor = descriptors.open();
    watcher.watch(descriptor, owner);
    descriptors.set_readable(descriptor, true);
    watcher.poll_now();
    watcher.rearm(descriptor);
    EXPECT_EQ(watcher.poll_now(), 1U);
}

TEST_F(FakeFdWatcherTests, real_descriptor_is_asked) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const UniqueFd left{ends[0]}, right{ends[1]};
    watcher.watch(left.get(), owner);
    EXPECT_EQ(watcher.poll_now(), 0U);
    ASSERT_EQ(::send(right.get(), "x", 1, 0), 1);
    EXPECT_EQ(watcher.poll_now(), 1U);
}

TEST_F(FakeFdWatcherTests, unwatched_descriptor_is_forgotten) {
    const int descriptor = descriptors.open();
    watcher.watch(descriptor, owner);
    descriptors.set_readable(descriptor, true);
    watcher.unwatch(descriptor);
    EXPECT_FALSE(watcher.notify(descriptor));
    EXPECT_EQ(watcher.poll_now(), 0U);
    EXPECT_EQ(watcher.size(), 0U);
}

}  // namespace
}  // namespace cmirror
