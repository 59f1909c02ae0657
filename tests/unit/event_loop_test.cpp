// Everything that actors expect of CAF, in one loop thread; and what the loop adds: descriptors.
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
namespace {

using namespace std::chrono_literals;
using tick_atom = caf::atom_constant<caf::atom("tick")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using where_atom = caf::atom_constant<caf::atom("where")>;

/// Nothing here takes that long: past it something is broken.
constexpr auto deadline = 20s;

caf::behavior adder(caf::event_based_actor*) {
    return {[](int a, int b) { return a + b; }, [](where_atom) { return static_cast<std::uint64_t>(::gettid()); }};
}

caf::behavior mute(caf::event_based_actor* self) {
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

TEST_F(EventLoopTests, all_actors_run_in_one_thread_that_is_not_ours) {
    const auto a = system->spawn(adder);
    const auto b = system->spawn<caf::lazy_init>(adder);
    caf::scoped_actor self{*system};
    std::array<std::uint64_t, 2> threads{};
    std::size_t next = 0;
    for (const auto& actor : {a, b})
        self->request(actor, deadline, where_atom::value)
            .receive([&](std::uint64_t thread) { threads[next++] = thread; },
                     [](caf::error& error) { FAIL() << caf::to_string(error); });
    EXPECT_EQ(threads[0], threads[1]);
    EXPECT_NE(threads[0], static_cast<std::uint64_t>(::gettid()));
}

TEST_F(EventLoopTests, hidden_and_lazy_actors_answer) {
    caf::scoped_actor self{*system};
    for (const auto& actor : {system->spawn<caf::lazy_init>(adder), system->spawn<caf::hidden>(adder),
                              system->spawn<caf::hidden + caf::lazy_init>(adder)})
        self->request(actor, deadline, 1, 1)
            .receive([](int sum) { EXPECT_EQ(sum, 2); }, [](caf::error& error) { FAIL() << caf::to_string(error); });
}

TEST_F(EventLoopTests, delayed_message_from_outside_does_not_come_early) {
    caf::scoped_actor self{*system};
    const auto start = std::chrono::steady_clock::now();
    self->delayed_send(self, 30ms, tick_atom::value);
    self->receive([](tick_atom) {});
    EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
}

TEST_F(EventLoopTests, delayed_messages_of_an_actor_to_itself_all_come) {
    std::promise<void> done;
    auto future = done.get_future();
    system->spawn([&done](caf::stateful_actor<int>* self) -> caf::behavior {
        self->delayed_send(self, 1ms, tick_atom::value);
        return {[self, &done](tick_atom tick) {
            if (++self->state < 20) {
                self->delayed_send(self, 1ms, tick);
            } else {
                done.set_value();
                self->quit();
            }
        }};
    });
    EXPECT_TRUE(arrives(future));
}

TEST_F(EventLoopTests, request_without_an_answer_times_out) {
    const auto silent = system->spawn(mute);
    std::promise<caf::error> failure;
    auto future = failure.get_future();
    system->spawn([silent, &failure](caf::event_based_actor* self) {
        self->request(silent, 10ms, tick_atom::value)
            .then([](int) { FAIL() << "nobody answers"; }, [&](caf::error& error) { failure.set_value(error); });
    });
    ASSERT_TRUE(arrives(future));
    EXPECT_EQ(future.get(), caf::sec::request_timeout);
    caf::anon_send_exit(silent, caf::exit_reason::user_shutdown);
}

TEST_F(EventLoopTests, timer_of_an_answered_request_can_be_taken_back) {
    const auto a = system->spawn(adder);
    std::promise<std::pair<std::size_t, std::size_t>> timers;
    auto future = timers.get_future();
    auto* clock = static_cast<LoopClock*>(&loop().clock());
    system->spawn([a, clock, &timers](caf::event_based_actor* self) {
        auto handle = self->request(a, 60min, 1, 2);
        const auto id = handle.id();
        handle.then([self, id, clock, &timers](int) {
            const auto before = clock->timers().size();
            self->clock().cancel_request_timeout(self, id);
            timers.set_value({before, clock->timers().size()});
        });
    });
    ASSERT_TRUE(arrives(future));
    EXPECT_EQ(future.get(), (std::pair<std::size_t, std::size_t>{1, 0}));
}

TEST_F(EventLoopTests, receive_timeout_repeats) {
    std::promise<void> done;
    auto future = done.get_future();
    system->spawn([&done](caf::stateful_actor<int>* self) -> caf::behavior {
        return {[](tick_atom) {}, caf::after(2ms) >>
                                      [self, &done] {
                                          if (++self->state < 3) return;
                                          done.set_value();
                                          self->quit();
                                      }};
    });
    EXPECT_TRUE(arrives(future));
}

TEST_F(EventLoopTests, monitors_and_links_tell_of_an_end) {
    const auto victim = system->spawn(adder);
    std::promise<caf::error> down, exit;
    auto down_future = down.get_future(), exit_future = exit.get_future();
    const auto watcher = system->spawn([&, victim](caf::event_based_actor* self) -> caf::behavior {
        self->set_down_handler([&](caf::down_msg& message) { down.set_value(message.reason); });
        self->set_exit_handler([&](caf::exit_msg& message) { exit.set_value(message.reason); });
        self->monitor(victim);
        self->link_to(victim);
        return {[self](stop_atom) { self->quit(); }};
    });
    caf::anon_send_exit(victim, caf::exit_reason::user_shutdown);
    ASSERT_TRUE(arrives(down_future));
    ASSERT_TRUE(arrives(exit_future));
    EXPECT_EQ(down_future.get(), caf::exit_reason::user_shutdown);
    EXPECT_EQ(exit_future.get(), caf::exit_reason::user_shutdown);
    caf::anon_send(watcher, stop_atom::value);
}

TEST_F(EventLoopTests, exception_ends_its_actor_only) {
    const auto thrower = system->spawn([](caf::event_based_actor* self) -> caf::behavior {
        self->set_exception_handler([](std::exception_ptr&) -> caf::error { return caf::sec::runtime_error; });
        return {[](int) { throw std::runtime_error("thrown on purpose"); }};
    });
    caf::scoped_actor self{*system};
    self->monitor(thrower);
    self->send(thrower, 1);
    self->receive([](caf::down_msg& message) { EXPECT_EQ(message.reason, caf::sec::runtime_error); });
    self->request(system->spawn(adder), deadline, 1, 1)
        .receive([](int sum) { EXPECT_EQ(sum, 2); }, [](caf::error& error) { FAIL() << caf::to_string(error); });
}

TEST_F(EventLoopTests, blocked_detached_actor_does_not_hold_the_loop) {
    std::promise<void> device_done;
    auto blocked = device_done.get_future().share();
    const auto device = system->spawn<caf::detached>([blocked](caf::event_based_actor*) -> caf::behavior {
        return {[blocked](tick_atom, int value) {
            blocked.wait();
            return value;
        }};
    });
    const auto log = system->spawn([device](caf::event_based_actor* self) -> caf::behavior {
        return {[self, device](tick_atom tick, int value) {
                    auto answer = self->make_response_promise<int>();
                    self->request(device, caf::infinite, tick, value).then([answer](int result) mutable {
                        answer.deliver(result + 1);
                    });
                    return answer;
                },
                [](int a, int b) { return a * b; }};
    });
    caf::scoped_actor self{*system};
    auto written = self->request(log, caf::infinite, tick_atom::value, 80);
    self->request(log, deadline, 6, 7)
        .receive([](int product) { EXPECT_EQ(product, 42); },
                 [](caf::error& error) { FAIL() << caf::to_string(error); });
    device_done.set_value();
    written.receive([](int result) { EXPECT_EQ(result, 81); },
                    [](caf::error& error) { FAIL() << caf::to_string(error); });
    caf::anon_send_exit(device, caf::exit_reason::user_shutdown);
}

TEST_F(EventLoopTests, no_message_of_four_threads_is_lost) {
    constexpr int each = 50'000;
    std::promise<void> done;
    auto future = done.get_future();
    const auto sink = system->spawn([&done](caf::stateful_actor<int>* self) -> caf::behavior {
        return {[self, &done](int) {
            if (++self->state == 4 * each) done.set_value();
        }};
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&sink] {
            for (int n = 0; n < each; ++n)
                caf::anon_send(sink, n);
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_TRUE(arrives(future));
}

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
