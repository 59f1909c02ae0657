// Recovery shared by several nodes: nobody writes where another recovers, and nobody waits for ever.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

TEST_F(Group, nodes_recover_different_runs_at_the_same_time) {
    start({1, 2, 3});
    const auto a = pair(1, R::get_resync_work);
    const auto b = pair(2, R::get_resync_work);
    const auto c = pair(3, R::get_resync_work);
    EXPECT_EQ(a.flag + b.flag + c.flag, 3);
    EXPECT_NE(a.region, b.region);
    EXPECT_NE(b.region, c.region);
    expect_equal({1, 2, 3});
}

TEST_F(Group, resync_shared_by_three_ends_with_all_in_sync) {
    start({1, 2, 3});
    for (int i = 0; i < 100; ++i)
        for (const NodeId id : {1U, 2U, 3U}) {
            const auto seq = cluster->ask(id, R::get_resync_work);
            cluster->settle();
            const auto reply = cluster->reply_to(id, seq);
            if (!reply) continue;
            const auto work = std::get<FlagAndRegion>(reply->payload);
            if (work.flag == 1) recover(id, work.region);
        }
    cluster->advance(10s);
    EXPECT_TRUE(state(1).sync().all());
    EXPECT_TRUE(state(1).clean().all());
    expect_equal({1, 2, 3});
}

TEST_F(Group, mark_of_a_region_that_another_recovers_waits_for_its_end) {
    start({1, 2, 3});
    const auto work = pair(1, R::get_resync_work);
    const auto flush = cluster->ask(2, R::flush, list({work.region}));
    cluster->settle();
    EXPECT_FALSE(answered(2, flush));
    recover(1, work.region);
    cluster->advance(1s);
    EXPECT_TRUE(answered(2, flush));
    EXPECT_TRUE(state(3).marks().marked_by(owner(2), work.region));
    expect_equal({1, 2, 3});
}

TEST_F(Group, mark_of_a_runs_region_that_was_not_started_is_given_back) {
    start({1, 2});
    for (int i = 0; i < 4; ++i)
        recover(1, pair(1, R::get_resync_work).region);
    const auto current = pair(1, R::get_resync_work);
    cluster->settle();
    const auto* run = state(1).grants().run_of(current.region);
    ASSERT_NE(run, nullptr);
    const RegionNumber later = run->end() - 1;
    ASSERT_NE(later, current.region);
    EXPECT_EQ(error(2, R::flush, list({later})), 0);
    EXPECT_FALSE(state(2).grants().granted_to(later));
    expect_equal({1, 2});
}

TEST_F(Group, region_with_anothers_mark_is_not_handed_out) {
    start({1, 2});
    EXPECT_EQ(error(2, R::flush, list({0})), 0);
    EXPECT_EQ(pair(1, R::get_resync_work).region, 1U);
}

TEST_F(Group, hint_counts_regions_that_others_recover) {
    start({1, 2});
    EXPECT_EQ(pair(1, R::get_resync_work).region, 0U);
    recover(2, pair(2, R::get_resync_work).region);
    cluster->advance(1s);
    EXPECT_EQ(pair(2, R::is_remote_recovering, RegionNumber{50}).region, 0U);
}

TEST_F(Group, region_that_fell_out_later_is_recovered_while_nothing_else_is) {
    start({1, 2});
    recover_all(1);
    call(1, R::set_region_sync, RegionSync{4, false});
    call(2, R::flush, list({30}));
    call(2, R::set_region_sync, RegionSync{30, false});
    EXPECT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 4}));
    const auto second = cluster->ask(2, R::get_resync_work);
    cluster->settle();
    EXPECT_FALSE(answered(2, second));
    recover(1, 4);
    cluster->advance(1s);
    ASSERT_TRUE(answered(2, second));
    EXPECT_EQ(std::get<FlagAndRegion>(cluster->reply_to(2, second)->payload), (FlagAndRegion{1, 30}));
}

TEST_F(Group, region_whose_leg_failed_is_recovered_only_by_who_reported_it) {
    start({1, 2});
    recover_all(1);
    call(1, R::set_region_sync, RegionSync{4, false});
    EXPECT_EQ(pair(2, R::get_resync_work).flag, 0);
    EXPECT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 4}));
}

TEST_F(Group, warm_mark_on_a_wanted_region_is_given_up) {
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({4}));
    call(2, R::clear_region, list({4}));
    call(1, R::set_region_sync, RegionSync{4, false});
    EXPECT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 4}));
    EXPECT_FALSE(state(1).marks().marked(4));
}

TEST_F(Group, new_marks_wait_for_a_wanted_region_until_it_is_recovered) {
    start({1, 2, 3});
    recover_all(1);
    call(2, R::flush, list({4}));
    call(1, R::set_region_sync, RegionSync{4, false});
    const auto work = cluster->ask(1, R::get_resync_work);
    cluster->settle();
    EXPECT_FALSE(answered(1, work));
    const auto flush = cluster->ask(3, R::flush, list({4}));
    cluster->settle();
    EXPECT_FALSE(answered(3, flush));
    call(2, R::clear_region, list({4}));
    cluster->advance(1s);
    EXPECT_TRUE(answered(1, work));
    EXPECT_FALSE(answered(3, flush));
    recover(1, 4);
    cluster->advance(1s);
    EXPECT_TRUE(answered(3, flush));
}

TEST_F(Group, waiting_for_a_marked_region_ends_and_lets_the_marks_through) {
    start({1, 2, 3});
    recover_all(1);
    call(2, R::flush, list({4}));
    call(1, R::set_region_sync, RegionSync{4, false});
    const auto work = cluster->ask(1, R::get_resync_work);
    const auto flush = cluster->ask(3, R::flush, list({4}));
    cluster->advance(6s);
    ASSERT_TRUE(answered(1, work));
    EXPECT_EQ(std::get<FlagAndRegion>(cluster->reply_to(1, work)->payload).flag, 0);
    EXPECT_TRUE(answered(3, flush));
}

TEST_F(Group, run_returns_at_presuspend_and_another_gets_it) {
    start({1, 2});
    EXPECT_EQ(pair(1, R::get_resync_work).region, 0U);
    call(1, R::presuspend);
    EXPECT_EQ(pair(2, R::get_resync_work).region, 0U);
}

TEST_F(Group, rest_of_a_run_is_given_back_when_the_kernel_asks_for_no_more) {
    start({1, 2});
    recover(1, pair(1, R::get_resync_work).region);
    cluster->advance(10s);
    EXPECT_TRUE(state(1).grants().empty());
    EXPECT_EQ(pair(2, R::get_resync_work), (FlagAndRegion{1, 1}));
}

TEST_F(Group, grant_that_the_kernel_does_not_ask_for_is_given_back) {
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({4}));
    call(1, R::set_region_sync, RegionSync{4, false});
    cluster->ask(1, R::get_resync_work);
    cluster->advance(6s);
    call(2, R::clear_region, list({4}));
    cluster->advance(10s);
    EXPECT_TRUE(state(1).grants().empty());
}

}  // namespace
}  // namespace cmirror::mirror_log
