// How fast a log comes in sync.
#include "actors/mirror_log/progress_meter.hpp"

#include <gtest/gtest.h>

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

TEST(ProgressMeter, rate_of_the_last_whole_window) {
    ProgressMeter meter;
    meter.note(100, 0s);
    meter.note(130, 3s);
    EXPECT_EQ(meter.rate(), 0);
    meter.note(150, 5s);
    EXPECT_EQ(meter.rate(), 10);
    meter.note(152, 9s);
    EXPECT_EQ(meter.rate(), 10);
    meter.note(160, 10s);
    EXPECT_EQ(meter.rate(), 2);
}

TEST(ProgressMeter, what_shrinks_stands_still) {
    ProgressMeter meter;
    meter.note(100, 0s);
    meter.note(50, 5s);
    EXPECT_EQ(meter.rate(), 0);
}

TEST(ProgressMeter, long_silence_begins_anew) {
    ProgressMeter meter;
    meter.note(0, 0s);
    meter.note(100, 5s);
    meter.note(200, 60s);
    EXPECT_EQ(meter.rate(), 0);
    meter.note(300, 65s);
    EXPECT_EQ(meter.rate(), 20);
}

TEST(ProgressMeter, lines_come_for_tenths_after_a_time_and_at_the_end) {
    ProgressMeter meter;
    EXPECT_EQ(meter.tell(0, 100, 0s), std::nullopt);
    EXPECT_EQ(meter.tell(50, 100, 9s), std::nullopt);
    EXPECT_EQ(meter.tell(51, 100, 10s), "51 of 100 regions are in sync");
    EXPECT_EQ(meter.tell(59, 100, 30s), std::nullopt);
    EXPECT_EQ(meter.tell(40, 100, 31s), "40 of 100 regions are in sync");
    EXPECT_EQ(meter.tell(99, 100, 32s), std::nullopt);
    EXPECT_EQ(meter.tell(100, 100, 33s), "all regions are in sync");
    EXPECT_EQ(meter.tell(100, 100, 60s), std::nullopt);
    EXPECT_EQ(meter.tell(99, 100, 61s), "99 of 100 regions are in sync");
}

TEST(ProgressMeter, log_that_is_in_sync_from_the_first_says_nothing) {
    ProgressMeter meter;
    EXPECT_EQ(meter.tell(40'000'000'000, 40'000'000'000, 0s), std::nullopt);
    EXPECT_EQ(meter.tell(40'000'000'000, 40'000'000'000, 99s), std::nullopt);
    EXPECT_EQ(meter.tell(39'999'999'999, 40'000'000'000, 100s), "39999999999 of 40000000000 regions are in sync");
}

}  // namespace
}  // namespace cmirror::mirror_log
