// Everything that actors expect of CAF, in one loop thread.
#include "tests/unit/event_loop_fixture.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;

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

}  // namespace
}  // namespace cmirror
