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

}  // namespace
}  // namespace cmirror::mirror_log
