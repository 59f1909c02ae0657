// Copies that go on although the daemons that granted them are gone (design.md, rules 5 and 10).
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

TEST_F(Group, daemon_that_is_killed_while_its_kernel_copies_keeps_the_region) {
    start({1, 2});
    const auto work = pair(1, R::get_resync_work);
    cluster->kill(1);
    cluster->restart(1, false);
    EXPECT_EQ(state(2).grants().granted_to(work.region), owner(1));
    // A mark of the other node waits; it must not make the copy's region free.
    const auto flush = cluster->ask(2, R::flush, list({work.region}));
    cluster->settle();
    EXPECT_EQ(state(2).grants().granted_to(work.region), owner(1));
    EXPECT_FALSE(cluster->reply_to(2, flush));
    call(1, R::set_region_sync, RegionSync{work.region, true});
    cluster->advance(std::chrono::seconds{1});
    EXPECT_TRUE(cluster->reply_to(2, flush));
    expect_equal({1, 2});
}

/// Node 1's kernel was given a region, and its daemon died with its state file.
struct LostFile : Group {
    FlagAndRegion work;
    LostFile() {
        start({1, 2});
        work = pair(1, R::get_resync_work);
        cluster->lose_state_files = true;
        cluster->kill(1);
        cluster->restart(1, false);
    }
};

TEST_F(LostFile, region_that_an_earlier_daemon_gave_out_is_not_given_out_again_when_it_is_done) {
    call(1, R::set_region_sync, RegionSync{work.region, true});
    const auto next = pair(1, R::get_resync_work);
    EXPECT_TRUE(next.flag == 0 || next.region != work.region);
}

// The kernel may not have started its copy yet: it waits for its own writes to the region, or for a suspend.
TEST_F(LostFile, nothing_is_given_back_before_the_kernel_asks_for_work) {
    const auto flush = cluster->ask(2, R::flush, list({work.region}));
    cluster->advance(std::chrono::seconds{10});
    EXPECT_EQ(state(2).grants().granted_to(work.region), owner(1));
    EXPECT_FALSE(cluster->reply_to(2, flush));
    call(1, R::set_region_sync, RegionSync{work.region, true});
    cluster->advance(std::chrono::seconds{1});
    EXPECT_TRUE(cluster->reply_to(2, flush));
    expect_equal({1, 2});
}

// Its kernel had marked the region that another one copies, and the MARK went with the old daemon.
TEST_F(Group, flush_of_a_daemon_that_lost_its_marks_waits_for_what_others_copy) {
    start({1, 2});
    recover_all(1);
    call(1, R::set_region_sync, RegionSync{5, false});
    const auto work = pair(1, R::get_resync_work);
    ASSERT_EQ(work.region, 5U);
    cluster->lose_state_files = true;
    cluster->kill(2);
    cluster->restart(2, false);
    const auto flush = cluster->ask(2, R::flush);
    cluster->advance(std::chrono::seconds{1});
    EXPECT_FALSE(cluster->reply_to(2, flush));
    call(1, R::set_region_sync, RegionSync{5, true});
    cluster->advance(std::chrono::seconds{1});
    EXPECT_TRUE(cluster->reply_to(2, flush));
    expect_equal({1, 2});
}

TEST_F(Group, daemons_that_lost_their_marks_do_not_wait_for_each_others_first_copies) {
    start({1, 2});
    for (const NodeId id : {1U, 2U})
        ASSERT_EQ(pair(id, R::get_resync_work).flag, 1U);
    cluster->lose_state_files = true;
    for (const NodeId id : {1U, 2U}) {
        cluster->kill(id);
        cluster->restart(id, false);
    }
    for (const NodeId id : {1U, 2U})
        EXPECT_EQ(error(id, R::flush), 0);
}

struct LostMarks : ::testing::Test {
    LogState state{100};
    StateChanges changes;
    LostMarks() {
        state.start(true);
        for (const NodeId node : {1U, 2U}) {
            state.joined({node, 7});
            state.hello({node, 7}, Hello{node, {}, node, 1024, 100, false, {}}, changes);
            state.became_valid({node, 7});
        }
    }
    void apply(NodeId node, std::uint64_t seq, std::vector<Op> ops) {
        state.apply({node, 7}, Ops{node, seq, node, std::move(ops)}, changes);
    }
    std::uint64_t applied_through(NodeId node) const { return state.applied_through(*state.member({node, 7})); }
};

TEST_F(LostMarks, wait_for_anothers_copy) {
    apply(1, 0, {{OpKind::failed, 50, 1}, {OpKind::want_work, 0, 1}});
    ASSERT_TRUE(state.grants().granted_to(50));
    apply(2, 0, {{OpKind::marked_unknown, 0, 1}});
    EXPECT_EQ(applied_through(2), 0U);
    apply(1, 2, {{OpKind::recovered, 50, 1}});
    EXPECT_EQ(applied_through(2), 1U);
}

// Two whose copies outlived the state would wait for each other.
TEST_F(LostMarks, do_not_wait_for_a_copy_that_does_not_count) {
    apply(1, 0, {{OpKind::copying, 60, 1}});
    apply(2, 0, {{OpKind::copying, 70, 1}, {OpKind::marked_unknown, 0, 1}});
    apply(1, 1, {{OpKind::marked_unknown, 0, 1}});
    ASSERT_TRUE(state.grants().granted_to(60) && state.grants().granted_to(70));
    EXPECT_EQ(applied_through(1), 2U);
    EXPECT_EQ(applied_through(2), 2U);
}

TEST_F(LostMarks, are_known_again_when_all_was_said) {
    apply(2, 0, {{OpKind::marked_unknown, 0, 1}});
    EXPECT_FALSE(state.clean().test(6));
    apply(2, 1, {{OpKind::mark, 5, 1}, {OpKind::marked_unknown, 0, marks_said}});
    EXPECT_TRUE(state.clean().test(6));
    EXPECT_FALSE(state.clean().test(5));
}

struct FailedLegs : LostMarks {};

// What its kernel holds back from the other legs is not in the copy.
TEST_F(FailedLegs, reported_while_another_node_copies_outlive_that_copy) {
    apply(1, 0, {{OpKind::failed, 50, 1}, {OpKind::resumed, 0, 1}, {OpKind::want_work, 0, 1}});
    ASSERT_TRUE(state.grants().granted_to(50));
    apply(2, 0, {{OpKind::failed, 50, 1}});
    apply(1, 3, {{OpKind::recovered, 50, 1}});
    EXPECT_FALSE(state.sync().test(50));
    apply(1, 4, {{OpKind::want_work, 0, 1}});
    EXPECT_FALSE(state.grants().granted_to(50));
}

TEST_F(FailedLegs, of_a_node_that_is_gone_are_recovered_by_others) {
    apply(2, 0, {{OpKind::failed, 50, 1}, {OpKind::postsuspend, 0, 1}});
    state.left({2, 7}, ChangeReason::leave, changes);
    apply(1, 0, {{OpKind::want_work, 0, 1}});
    EXPECT_FALSE(state.grants().granted_to(50));
    apply(1, 1, {{OpKind::node_gone, 2, 1}, {OpKind::want_work, 0, 1}});
    EXPECT_TRUE(state.grants().granted_to(50));
}

// The report of a failed leg is said again after a rejoin, but not of what its kernel copies just now.
TEST_F(Group, region_that_is_recovered_after_a_failed_leg_stays_granted_over_a_rejoin) {
    start({1, 2});
    recover_all(1);
    call(1, R::set_region_sync, RegionSync{5, false});
    ASSERT_EQ(pair(1, R::get_resync_work).region, 5U);
    cluster->lose_cluster(1);
    cluster->regain_cluster(1);
    cluster->advance(std::chrono::seconds{2});
    call(1, R::set_region_sync, RegionSync{5, true});
    cluster->advance(std::chrono::seconds{1});
    EXPECT_TRUE(state(2).sync().test(5));
    expect_equal({1, 2});
}

TEST_F(Group, state_that_was_lost_learns_of_a_copy_that_goes_on) {
    start({1, 2});
    const auto work = pair(1, R::get_resync_work);
    // All daemons at once: what comes back starts anew and is told of the copy.
    cluster->lose({1, 2}, ChangeReason::process_down);
    cluster->restart(2, false);
    cluster->restart(1, false);
    EXPECT_EQ(state(2).grants().granted_to(work.region), owner(1));
    const auto other = cluster->ask(2, R::get_resync_work);
    cluster->settle();
    EXPECT_FALSE(cluster->reply_to(2, other)) << "two whose hints are of the lost state do not recover together";
    expect_equal({1, 2});
}

TEST_F(Group, region_that_two_copy_is_the_first_ones_and_then_the_other_ones_and_neither_copy_counts) {
    start({1, 2});
    const auto work = pair(1, R::get_resync_work);
    cluster->lose({1, 2}, ChangeReason::process_down);
    // Knows of no copy, and hands the region out.
    cluster->restart(2, false);
    ASSERT_EQ(pair(2, R::get_resync_work).region, work.region);
    cluster->restart(1, false);
    EXPECT_EQ(state(1).grants().granted_to(work.region), owner(2));
    call(2, R::set_region_sync, RegionSync{work.region, true});
    cluster->advance(std::chrono::seconds{1});
    EXPECT_EQ(state(2).grants().granted_to(work.region), owner(1));
    EXPECT_FALSE(state(2).sync().test(work.region));
    const auto flush = cluster->ask(2, R::flush, list({work.region}));
    cluster->settle();
    EXPECT_FALSE(cluster->reply_to(2, flush)) << "the other copy may overtake the write";
    expect_equal({1, 2});
    call(1, R::set_region_sync, RegionSync{work.region, true});
    cluster->advance(std::chrono::seconds{1});
    EXPECT_TRUE(cluster->reply_to(2, flush));
    EXPECT_FALSE(state(1).sync().test(work.region));
    expect_equal({1, 2});
}

TEST_F(Group, copy_that_the_state_did_not_know_of_does_not_count) {
    start({1, 2});
    const auto work = pair(1, R::get_resync_work);
    cluster->lose({1, 2}, ChangeReason::process_down);
    cluster->restart(2, false);
    // A write that the copy overtakes.
    call(2, R::flush, list({work.region}));
    call(2, R::clear_region, list({work.region}));
    call(2, R::flush);
    cluster->restart(1, false);
    call(1, R::set_region_sync, RegionSync{work.region, true});
    cluster->advance(std::chrono::seconds{1});
    EXPECT_FALSE(state(2).sync().test(work.region));
    expect_equal({1, 2});
}

}  // namespace
}  // namespace cmirror::mirror_log
