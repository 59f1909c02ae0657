// What the loop adds to CAF: descriptors, posted calls, an end.
#include "tests/unit/event_loop_fixture.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;

/// Sends every datagram back, first byte plus one; ends at an empty one.
caf::behavior echo(caf::event_based_actor* self, int descriptor, FdWatcher* watcher) {
    watcher->watch(descriptor, self);
    return {[self, descriptor, watcher](descriptor_ready_atom, int) {
        std::array<char, 16> buffer{};
        for (;;) {
            const auto size = ::recv(descriptor, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (size < 0) break;
            if (size == 0) {
                watcher->unwatch(descriptor);
                self->quit();
                return;
            }
            ++buffer[0];
            ::send(descriptor, buffer.data(), static_cast<std::size_t>(size), 0);
        }
        watcher->rearm(descriptor);
    }};
}

void blocking(const UniqueFd& descriptor) {
    ::fcntl(descriptor.get(), F_SETFL, 0);
    const timeval limit{std::chrono::seconds{deadline}.count(), 0};
    ::setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

void ask(const UniqueFd& descriptor, char question) {
    ASSERT_EQ(::send(descriptor.get(), &question, 1, 0), 1);
    char answer = 0;
    ASSERT_EQ(::recv(descriptor.get(), &answer, 1, 0), 1);
    EXPECT_EQ(answer, static_cast<char>(question + 1));
}

TEST_F(EventLoopTests, two_hundred_and_twenty_descriptors_are_served) {
    std::vector<std::unique_ptr<Pair>> pairs;
    for (int i = 0; i < 220; ++i) {
        pairs.push_back(std::make_unique<Pair>());
        blocking(pairs.back()->right);
        system->spawn(echo, pairs.back()->left.get(), static_cast<FdWatcher*>(&loop()));
    }
    for (int round = 0; round < 3; ++round)
        for (const auto& pair : pairs)
            ask(pair->right, 'a');
    for (const auto& pair : pairs)
        ::send(pair->right.get(), "", 0, 0);
    system->registry().await_running_count_equal(0);
}

TEST_F(EventLoopTests, actor_that_floods_itself_does_not_starve_descriptors_or_timers) {
    const auto flood = system->spawn([](caf::event_based_actor* self) -> caf::behavior {
        self->send(self, tick_atom::value);
        return {[self](tick_atom tick) { self->send(self, tick); }};
    });
    const Pair pair;
    blocking(pair.right);
    system->spawn(echo, pair.left.get(), static_cast<FdWatcher*>(&loop()));
    for (int i = 0; i < 100; ++i)
        ask(pair.right, 'x');
    caf::scoped_actor self{*system};
    self->delayed_send(self, 1ms, tick_atom::value);
    self->receive([](tick_atom) {});
    ::send(pair.right.get(), "", 0, 0);
    // An ordinary exit message waits its turn behind the flood.
    caf::anon_send_exit(flood, caf::exit_reason::kill);
    system->registry().await_running_count_equal(1);  // `self`
}

TEST_F(EventLoopTests, hang_up_is_told_once_and_does_not_spin) {
    Pair pair{SOCK_STREAM};
    std::promise<void> told;
    auto future = told.get_future();
    auto* watcher = static_cast<FdWatcher*>(&loop());
    const auto owner =
        system->spawn([&told, watcher, fd = pair.left.get()](caf::event_based_actor* self) -> caf::behavior {
            watcher->watch(fd, self);
            return {[&told](descriptor_ready_atom, int) { told.set_value(); },
                    [self, watcher, fd](stop_atom) {
                        watcher->unwatch(fd);
                        self->quit();
                    }};
        });
    pair.right.reset();
    ASSERT_TRUE(arrives(future));
    const auto before = loop().counters().turns;
    caf::scoped_actor self{*system};
    self->delayed_send(self, 50ms, tick_atom::value);
    self->receive([](tick_atom) {});
    EXPECT_LT(loop().counters().turns - before, 20U);
    self->send(owner, stop_atom::value);
    self->wait_for(owner);
}

TEST_F(EventLoopTests, owner_that_nobody_else_knows_lives_until_unwatched) {
    const Pair pair;
    blocking(pair.right);
    system->spawn(echo, pair.left.get(), static_cast<FdWatcher*>(&loop()));
    ask(pair.right, 'q');
    EXPECT_EQ(system->registry().running(), 1U);
    ::send(pair.right.get(), "", 0, 0);
    system->registry().await_running_count_equal(0);
}

TEST_F(EventLoopTests, descriptor_armed_while_readable_is_told_again) {
    const Pair pair;
    std::promise<void> twice;
    auto future = twice.get_future();
    auto* watcher = static_cast<FdWatcher*>(&loop());
    system->spawn([&twice, watcher, fd = pair.left.get()](caf::stateful_actor<int>* self) -> caf::behavior {
        watcher->watch(fd, self);
        return {[self, &twice, watcher, fd](descriptor_ready_atom, int) {
                    if (++self->state == 1) {
                        // Long enough disarmed for the loop to look again, then armed with the datagram still there.
                        self->delayed_send(self, 2ms, tick_atom::value);
                        return;
                    }
                    watcher->unwatch(fd);
                    twice.set_value();
                    self->quit();
                },
                [watcher, fd](tick_atom) { watcher->rearm(fd); }};
    });
    ASSERT_EQ(::send(pair.right.get(), "x", 1, 0), 1);
    EXPECT_TRUE(arrives(future));
}

TEST_F(EventLoopTests, posted_call_runs_in_the_loop) {
    std::promise<bool> where;
    auto future = where.get_future();
    loop().post([&] { where.set_value(loop().in_loop()); });
    ASSERT_TRUE(arrives(future));
    EXPECT_TRUE(future.get());
    EXPECT_FALSE(loop().in_loop());
}

TEST_F(EventLoopTests, system_ends_with_timers_pending_and_actors_left) {
    system->await_actors_before_shutdown(false);
    for (int i = 0; i < 100; ++i) {
        const auto ticker = system->spawn([](caf::event_based_actor* self) -> caf::behavior {
            self->delayed_send(self, 1ms, tick_atom::value);
            return {[self](tick_atom tick) { self->delayed_send(self, 1ms, tick); }, [](double) {}};
        });
        caf::anon_send(ticker, 1.0);
        caf::delayed_anon_send(ticker, 1h, 2.0);
    }
}

TEST_F(EventLoopTests, system_ends_under_an_actor_that_floods_itself) {
    system->await_actors_before_shutdown(false);
    system->spawn([](caf::event_based_actor* self) -> caf::behavior {
        self->send(self, tick_atom::value);
        return {[self](tick_atom tick) { self->send(self, tick); }};
    });
}

TEST_F(EventLoopTests, idle_loop_sleeps) {
    caf::scoped_actor self{*system};
    const auto before = loop().counters();
    self->delayed_send(self, 100ms, tick_atom::value);
    self->receive([](tick_atom) {});
    // Counted once the loop is behind the timer.
    std::promise<void> behind;
    loop().post([&behind] { behind.set_value(); });
    ASSERT_EQ(behind.get_future().wait_for(deadline), std::future_status::ready);
    EXPECT_LT(loop().counters().turns - before.turns, 20U);
    EXPECT_EQ(loop().counters().timers_fired - before.timers_fired, 1U);
}

TEST(EventLoopSpin, spinning_loop_serves_too) {
    caf::actor_system_config config;
    config.load<EventLoop>();
    caf::put(config.content, "event-loop.spin-us", std::int64_t{50});
    caf::actor_system system{config};
    ASSERT_EQ(EventLoop::of(system).spin(), 50us);
    const auto a = system.spawn(adder);
    caf::scoped_actor self{system};
    for (int i = 0; i < 100; ++i)
        self->request(a, deadline, i, 1)
            .receive([i](int sum) { EXPECT_EQ(sum, i + 1); },
                     [](caf::error& error) { FAIL() << caf::to_string(error); });
}

}  // namespace
}  // namespace cmirror
