#include <gtest/gtest.h>

#include "actors/common/log_line.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;

TEST(LineLimiterTest, the_first_line_of_a_kind_passes) {
    LineLimiter limiter;
    EXPECT_EQ(limiter.admit("a", TimePoint{}), 0U);
    EXPECT_EQ(limiter.admit("b", TimePoint{}), 0U);
}

TEST(LineLimiterTest, further_ones_are_held_back_and_counted) {
    LineLimiter limiter;
    limiter.admit("a", TimePoint{});
    EXPECT_FALSE(limiter.admit("a", TimePoint{} + 1s));
    EXPECT_FALSE(limiter.admit("a", TimePoint{} + 9999ms));
    EXPECT_EQ(limiter.admit("a", TimePoint{} + 10s), 2U);
    EXPECT_FALSE(limiter.admit("a", TimePoint{} + 11s));
}

TEST(LineLimiterTest, the_line_says_how_many_were_held_back) {
    LineLimiter limiter;
    LogLines lines;
    limiter.add(lines, LogLevel::warning, "a", "text", TimePoint{});
    limiter.add(lines, LogLevel::warning, "a", "text", TimePoint{} + 1s);
    limiter.add(lines, LogLevel::warning, "a", "text", TimePoint{} + 11s);
    EXPECT_EQ(lines,
              (LogLines{{LogLevel::warning, "text"}, {LogLevel::warning, "text (1 more since the last such line)"}}));
}

TEST(LineLimiterTest, kinds_beyond_the_bound_share_one_limit) {
    LineLimiter limiter;
    for (std::size_t kind = 0; kind < LineLimiter::kinds_max; ++kind)
        EXPECT_TRUE(limiter.admit(std::to_string(kind), TimePoint{}));
    EXPECT_TRUE(limiter.admit("one more", TimePoint{}));
    EXPECT_FALSE(limiter.admit("yet another", TimePoint{}));
}

}  // namespace
}  // namespace cmirror
