// What happened lately is kept, in order and bounded.
#include "adapters/log_sink/event_ring.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "adapters/log_sink/fake_log_sink.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;

EventRing::Clock::time_point made_up_time{};

EventRing::Clock::time_point tick() {
    return made_up_time += 1us;
}

struct EventRingTest : testing::Test {
    EventRingTest() { made_up_time = EventRing::Clock::time_point{1'700'000'000s}; }

    FakeLogSink* sink = new FakeLogSink;
    EventRing ring{std::unique_ptr<LogSink>(sink), tick};
};

TEST_F(EventRingTest, lines_and_answers_come_in_their_order) {
    ring.write(LogLevel::notice, "first");
    ring.answered({RequestType::flush, 0xff, 7, 0, 1500us});
    ring.answered({RequestType::mark_region, 0xff, 8, -5, 0ns});
    ring.write(LogLevel::error, "last");
    EXPECT_EQ(ring.recent(),
              (std::vector<std::string>{
                  "2023-11-14 22:13:20.000001 notice  first",
                  "2023-11-14 22:13:20.000002 answer  FLUSH luid 0xff seq 7: done, 1.500 ms",
                  "2023-11-14 22:13:20.000003 answer  MARK_REGION luid 0xff seq 8: Input/output error, 0.000 ms",
                  "2023-11-14 22:13:20.000004 error   last"}));
}

TEST_F(EventRingTest, lines_are_passed_on) {
    ring.write(LogLevel::warning, "line");
    EXPECT_TRUE(sink->contains(LogLevel::warning, "line"));
}

TEST_F(EventRingTest, oldest_give_way) {
    for (std::size_t i = 0; i <= EventRing::lines_max; ++i)
        ring.write(LogLevel::info, "line " + std::to_string(i) + ".");
    for (std::uint32_t i = 0; i < EventRing::answers_max + 5; ++i)
        ring.answered({RequestType::in_sync, 1, i, 0, 1us});
    const auto recent = ring.recent();
    ASSERT_EQ(recent.size(), EventRing::lines_max + EventRing::answers_max);
    EXPECT_NE(recent[0].find("line 1."), std::string::npos);
    EXPECT_NE(recent[EventRing::lines_max].find("seq 5:"), std::string::npos);
}

TEST_F(EventRingTest, long_line_is_cut_in_memory_alone) {
    const std::string text(1000, 'x');
    ring.write(LogLevel::info, text);
    EXPECT_EQ(sink->lines()[0].text, text);
    EXPECT_LT(ring.recent()[0].size(), 400U);
}

/// Counts: a FakeLogSink is for one thread.
struct CountingSink final : LogSink {
    void write(LogLevel, std::string_view) noexcept override { ++lines; }
    std::atomic<std::size_t> lines = 0;
};

TEST(EventRingThreadsTest, lines_and_answers_of_several_threads_are_all_kept_and_whole) {
    constexpr std::size_t each = 200;
    auto* sink = new CountingSink;
    EventRing ring{std::unique_ptr<LogSink>(sink)};
    std::vector<std::jthread> threads;
    for (const char letter : {'a', 'b'})
        threads.emplace_back([&ring, letter] {
            for (std::size_t i = 0; i < each; ++i)
                ring.write(LogLevel::notice, std::string(40, letter));
        });
    threads.emplace_back([&ring] {
        for (std::uint32_t i = 0; i < each; ++i)
            ring.answered({RequestType::flush, 1, i, 0, 1us});
    });
    // Somebody looks meanwhile.
    std::size_t seen = 0;
    while (seen < 3 * each) {
        const auto recent = ring.recent();
        ASSERT_GE(recent.size(), seen);
        seen = recent.size();
        for (const auto& line : recent)
            EXPECT_TRUE(line.ends_with(std::string(40, 'a')) || line.ends_with(std::string(40, 'b')) ||
                        line.ends_with("done, 0.001 ms"))
                << line;
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(sink->lines, 2 * each);
}

}  // namespace
}  // namespace cmirror
