// Regions handed out: runs of the group, and what one node does with its own.
#include <gtest/gtest.h>

#include "actors/mirror_log/grant_table.hpp"
#include "actors/mirror_log/recovery_work.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

constexpr Owner ann{1, 0x10};
constexpr Owner bob{2, 0x10};

struct GrantTests : ::testing::Test {
    GrantTable grants;
    GrantTests() { grants.grant({ann, 10, 4, false}); }
};

TEST_F(GrantTests, all_regions_of_a_run_are_granted) {
    EXPECT_FALSE(grants.granted_to(9));
    EXPECT_EQ(grants.granted_to(10), ann);
    EXPECT_EQ(grants.granted_to(13), ann);
    EXPECT_FALSE(grants.granted_to(14));
}

TEST_F(GrantTests, region_that_ends_in_the_middle_splits_its_run) {
    EXPECT_TRUE(grants.end(11));
    EXPECT_EQ(grants.granted_to(10), ann);
    EXPECT_FALSE(grants.granted_to(11));
    EXPECT_EQ(grants.granted_to(13), ann);
    EXPECT_EQ(grants.regions_of(ann), 3U);
}

TEST_F(GrantTests, region_that_is_not_granted_cannot_end) {
    EXPECT_FALSE(grants.end(20));
}

TEST_F(GrantTests, runs_of_one_owner_end_together) {
    grants.grant({bob, 20, 1, true});
    EXPECT_TRUE(grants.any_later_of_other(ann));
    EXPECT_EQ(grants.end_all(ann).size(), 1U);
    EXPECT_FALSE(grants.any_of_other(bob));
    EXPECT_EQ(grants.granted_to(20), bob);
}

TEST(GrantDeathTests, overlapping_runs_end_the_process) {
    GrantTable grants;
    grants.grant({ann, 10, 4, false});
    EXPECT_DEATH(grants.grant({bob, 13, 2, false}), "invariant broken");
    EXPECT_DEATH(grants.grant({bob, 8, 3, false}), "invariant broken");
}

struct RecoveryWorkTests : GrantTests {
    RecoveryWork work;
};

TEST_F(RecoveryWorkTests, regions_come_lowest_first_and_again_until_reported) {
    EXPECT_EQ(work.next(grants, ann, 0s), 10U);
    EXPECT_EQ(work.next(grants, ann, 0s), 10U);
    EXPECT_TRUE(work.ended(10, 0s, 0));
    EXPECT_EQ(work.next(grants, ann, 0s), 11U);
}

TEST_F(RecoveryWorkTests, region_that_is_done_is_not_given_out_before_the_group_has_heard_of_it) {
    // Of an earlier daemon's, so that its grant may come only now.
    EXPECT_FALSE(work.ended(10, 0s, 7));
    work.heard(7);
    EXPECT_EQ(work.next(grants, ann, 0s), 11U);
    EXPECT_TRUE(work.ended(11, 0s, 8));
    work.heard(8);
    EXPECT_EQ(work.next(grants, ann, 0s), 10U);
}

TEST_F(RecoveryWorkTests, another_owner_gets_nothing) {
    EXPECT_FALSE(work.next(grants, bob, 0s));
}

TEST_F(RecoveryWorkTests, preferred_region_comes_next) {
    work.prefer(13);
    EXPECT_EQ(work.next(grants, ann, 0s), 13U);
}

TEST_F(RecoveryWorkTests, region_under_way_is_not_given_back) {
    work.next(grants, ann, 0s);
    EXPECT_FALSE(work.give_back(grants, ann, 10, 0));
    EXPECT_TRUE(work.give_back(grants, ann, 12, 0));
    EXPECT_EQ(work.left(grants, ann), 2U);
}

TEST_F(RecoveryWorkTests, run_grows_while_copies_are_quick_and_shrinks_when_they_are_not) {
    EXPECT_EQ(work.run_length(), 1U);
    work.next(grants, ann, 0s);
    work.ended(10, 1ms, 0);
    EXPECT_EQ(work.run_length(), 2U);
    work.next(grants, ann, 1s);
    work.ended(11, 3s, 0);
    EXPECT_EQ(work.run_length(), 1U);
}

TEST_F(RecoveryWorkTests, copy_is_under_way_until_its_kernel_says_otherwise) {
    work.next(grants, ann, 0s);
    grants.end(10);
    work.heard(1);
    work.rejoin();
    EXPECT_EQ(work.current(), 10U);
    EXPECT_TRUE(work.ended(10, 1s, 0));
    EXPECT_FALSE(work.current());
}

TEST_F(RecoveryWorkTests, what_an_unknown_daemon_gave_out_is_not_given_back_before_the_kernel_asks_or_stops) {
    work.take_over_unknown();
    work.rejoin();
    EXPECT_FALSE(work.give_back(grants, ann, 12, 0));
    EXPECT_EQ(work.next(grants, ann, 0s), 10U);
    EXPECT_TRUE(work.give_back(grants, ann, 12, 0));
    work.take_over_unknown();
    work.stop();
    EXPECT_TRUE(work.give_back(grants, ann, 12, 0));
}

// The report of that copy was lost with the daemon.
TEST_F(RecoveryWorkTests, region_of_an_earlier_daemon_that_is_anothers_by_now_is_not_given_out) {
    work.take_over(10);
    EXPECT_FALSE(work.next(grants, bob, 0s));
    work.take_over(13);
    EXPECT_EQ(work.next(grants, ann, 0s), 13U);
}

}  // namespace
}  // namespace cmirror::mirror_log
