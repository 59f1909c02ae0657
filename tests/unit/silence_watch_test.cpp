// Who is waited for, and when that is worth a line.
#include "actors/mirror_log/silence_watch.hpp"

#include <gtest/gtest.h>

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

constexpr MemberId one{1, 100}, three{3, 4711};

TEST(SilenceWatch, says_nothing_while_nobody_is_waited_for) {
    SilenceWatch watch;
    watch.note({}, 0s);
    EXPECT_FALSE(watch.due());
    EXPECT_FALSE(watch.tell(100s));
}

TEST(SilenceWatch, names_who_is_waited_for_after_ten_seconds_and_then_every_minute) {
    SilenceWatch watch;
    watch.note({one, three}, 5s);
    EXPECT_EQ(watch.due(), 15s);
    EXPECT_FALSE(watch.tell(14s));
    const auto line = watch.tell(15s);
    ASSERT_TRUE(line);
    EXPECT_NE(line->find("node 1 (process 100), node 3 (process 4711)"), std::string::npos) << *line;
    watch.note({one, three}, 74s);
    EXPECT_FALSE(watch.tell(74s));
    EXPECT_EQ(watch.due(), 75s);
    EXPECT_TRUE(watch.tell(75s));
}

TEST(SilenceWatch, begins_anew_when_somebody_was_heard) {
    SilenceWatch watch;
    watch.note({one, three}, 0s);
    watch.note({three}, 9s);
    EXPECT_FALSE(watch.tell(18s));
    const auto line = watch.tell(19s);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->find("node 1"), std::string::npos) << *line;
    watch.note({}, 20s);
    EXPECT_FALSE(watch.due());
    EXPECT_FALSE(watch.tell(200s));
}

}  // namespace
}  // namespace cmirror::mirror_log
