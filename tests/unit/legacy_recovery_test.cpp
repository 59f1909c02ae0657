// One region in the whole cluster beside legacy members, by the field's algorithm (design.md, "Mixed clusters").
#include "tests/unit/legacy_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using std::chrono::seconds;

std::uint64_t regions_out(const LogState& state) {
    std::uint64_t out = 0;
    for (const auto& [first, run] : state.grants().runs())
        out += run.count;
    return out;
}

TEST_F(MixedGroup, checkpoint_waits_until_one_region_is_out) {
    start({1, 2, 3});
    const RegionNumber a = pair(1, R::get_resync_work).region;
    const RegionNumber b = pair(2, R::get_resync_work).region;
    const RegionNumber c = pair(3, R::get_resync_work).region;
    auto& member = join_legacy(4);
    EXPECT_FALSE(member.valid());
    EXPECT_EQ(regions_out(state(1)), 3U) << "what kernels copy; the rest of the runs is given back";
    call(1, R::set_region_sync, RegionSync{a, true});
    cluster->advance(seconds{1});
    EXPECT_FALSE(member.valid());
    call(2, R::set_region_sync, RegionSync{b, true});
    cluster->advance(seconds{1});
    ASSERT_TRUE(member.valid());
    EXPECT_EQ(member.recovering(), c);
    EXPECT_EQ(member.recoverer(), 3U);
    expect_alike(1, 4);
    call(3, R::set_region_sync, RegionSync{c, true});
    cluster->advance(seconds{1});
    EXPECT_FALSE(member.recovering());
    expect_alike(1, 4);
    expect_equal({1, 2, 3});
}

TEST_F(MixedGroup, work_that_waits_while_a_legacy_member_comes_is_given_later) {
    start({1, 2, 3});
    const RegionNumber a = pair(1, R::get_resync_work).region;
    const RegionNumber b = pair(2, R::get_resync_work).region;
    join_legacy(4);
    const std::uint32_t seq = cluster->ask(3, R::get_resync_work);
    cluster->settle();
    EXPECT_FALSE(answered(3, seq));
    call(1, R::set_region_sync, RegionSync{a, true});
    call(2, R::set_region_sync, RegionSync{b, true});
    cluster->advance(seconds{1});
    ASSERT_TRUE(answered(3, seq));
    EXPECT_EQ(std::get<FlagAndRegion>(cluster->reply_to(3, seq)->payload).flag, 1);
    EXPECT_EQ(regions_out(state(1)), 1U);
    expect_alike(1, 4);
}

TEST_F(MixedGroup, ours_and_legacy_recover_everything_in_turns) {
    for (const bool ours_serves : {true, false}) {
        use(core_log);
        const NodeId us = ours_serves ? 1 : 2;
        const NodeId them = ours_serves ? 2 : 1;
        start({us});
        join_legacy(them);
        ASSERT_TRUE(mixed(us));
        for (int i = 0; i < 200 && !state(us).sync().all(); ++i) {
            const FlagAndRegion work = pair(us, R::get_resync_work);
            if (work.flag != 0) {
                EXPECT_EQ(legacy_pair(them, R::get_resync_work), (Pair{0, 0}));
                EXPECT_EQ(legacy(them).recovering(), work.region);
                recover(us, work.region);
                cluster->advance(seconds{1});
            }
            const Pair theirs = legacy_pair(them, R::get_resync_work);
            if (theirs.at(0) == 0) continue;
            EXPECT_EQ(regions_out(state(us)), 1U);
            EXPECT_TRUE(state(us).grants().granted_to(theirs[1]) == (Owner{them, legacy_luid}));
            EXPECT_TRUE(legacy_done(them, R::set_region_sync, {theirs[1], 1}));
            legacy_ask(them, R::clear_region, {theirs[1]});
            EXPECT_TRUE(legacy_done(them, R::flush));
        }
        EXPECT_TRUE(state(us).sync().all());
        EXPECT_TRUE(state(us).clean().all());
        expect_alike(us, them);
    }
}

TEST_F(MixedGroup, our_kernel_waits_while_a_legacy_member_recovers) {
    start({1});
    join_legacy(2);
    const Pair theirs = legacy_pair(2, R::get_resync_work);
    ASSERT_EQ(theirs.at(0), 1U);
    const std::uint32_t seq = cluster->ask(1, R::get_resync_work);
    cluster->settle();
    EXPECT_FALSE(answered(1, seq));
    EXPECT_TRUE(legacy_done(2, R::set_region_sync, {theirs[1], 1}));
    ASSERT_TRUE(answered(1, seq));
    EXPECT_EQ(std::get<FlagAndRegion>(cluster->reply_to(1, seq)->payload), (FlagAndRegion{1, theirs[1] + 1}));
}

TEST_F(MixedGroup, our_mark_is_held_while_a_legacy_member_recovers_the_region) {
    join_legacy(1);
    start({2});
    const Pair theirs = legacy_pair(1, R::get_resync_work);
    ASSERT_EQ(theirs.at(0), 1U);
    call(2, R::mark_region, list({theirs[1]}));
    const std::uint32_t flush = cluster->ask(2, R::flush);
    cluster->settle();
    EXPECT_FALSE(answered(2, flush));
    EXPECT_TRUE(legacy_done(1, R::set_region_sync, {theirs[1], 1}));
    EXPECT_TRUE(answered(2, flush));
}

TEST_F(MixedGroup, what_fell_out_of_sync_later_is_not_handed_out_beside_legacy) {
    start({1});
    recover_all(1);
    join_legacy(2);
    EXPECT_TRUE(legacy_done(2, R::mark_region, {7}));
    EXPECT_TRUE(legacy_done(2, R::set_region_sync, {7, 0}));
    legacy_ask(2, R::clear_region, {7});
    EXPECT_TRUE(legacy_done(2, R::flush));
    EXPECT_EQ(legacy_pair(2, R::get_resync_work), (Pair{0, 0}));
    EXPECT_FALSE(legacy(2).recovering()) << "released with SET_REGION_SYNC 0";
    ASSERT_EQ(requests(1, R::set_region_sync).size(), 1U);
    EXPECT_EQ(legacy_integers(requests(1, R::set_region_sync)[0]), (Pair{7, 0}));
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0);
    EXPECT_EQ(legacy_pair(2, R::is_remote_recovering, {7}).at(0), 0U) << "nobody recovers it: writes must not wait";
    expect_alike(1, 2);
}

TEST_F(MixedGroup, what_a_legacy_server_hands_out_and_ours_may_not_recover_is_released) {
    start({2});
    recover_all(2);
    join_legacy(1);
    EXPECT_EQ(error(2, R::set_region_sync, RegionSync{7, false}), 0);
    EXPECT_FALSE(legacy(1).in_sync(7));
    EXPECT_EQ(pair(2, R::get_resync_work).flag, 0);
    EXPECT_FALSE(legacy(1).recovering());
    EXPECT_TRUE(state(2).grants().empty());
    expect_alike(2, 1);
}

TEST_F(MixedGroup, a_legacy_copy_that_computes_another_region_is_put_right_by_the_answer) {
    // The second legacy member does not know the priority queue: its copy takes region 0 where the server takes 40.
    start({1});
    join_legacy(2);
    EXPECT_EQ(legacy_pair(2, R::is_remote_recovering, {40}).at(0), 1U);
    join_legacy(3);
    EXPECT_EQ(legacy_pair(2, R::get_resync_work), (Pair{1, 40}));
    EXPECT_EQ(legacy(3).recovering(), 0U) << "so the copies differ";
    EXPECT_TRUE(legacy_done(2, R::set_region_sync, {40, 1}));
    EXPECT_EQ(legacy_pair(2, R::get_resync_work), (Pair{1, 0}));
    EXPECT_TRUE(legacy_done(2, R::set_region_sync, {0, 1}));
    EXPECT_FALSE(legacy(3).recovering());
    expect_alike(1, 2);
    expect_alike(1, 3);
}

TEST_F(MixedGroup, ours_follows_a_legacy_server_that_computes_another_region) {
    join_legacy(1);
    EXPECT_EQ(legacy_pair(1, R::is_remote_recovering, {40}).at(0), 1U);
    start({2, 3});
    EXPECT_EQ(pair(2, R::get_resync_work), (FlagAndRegion{1, 40}));
    EXPECT_TRUE(state(3).grants().granted_to(40) == owner(2));
    EXPECT_FALSE(state(3).grants().granted_to(0));
    EXPECT_EQ(state(3).legacy().copy->recovering(), 40U);
    recover(2, 40);
    cluster->advance(seconds{1});
    EXPECT_FALSE(legacy(1).recovering());
    EXPECT_TRUE(legacy(1).in_sync(40));
    expect_equal({2, 3});
}

TEST_F(MixedGroup, recovery_of_a_legacy_member_that_dies_is_not_handed_out_again_beside_its_kernel) {
    start({1});
    join_legacy(2);
    join_legacy(3);
    const Pair theirs = legacy_pair(2, R::get_resync_work);
    ASSERT_EQ(theirs.at(0), 1U);
    cluster->kill(2);
    cluster->settle();
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0) << "its kernel may still copy";
    EXPECT_FALSE(state(1).grants().empty());
}

TEST_F(MixedGroup, recovery_stops_at_presuspend_in_all_copies) {
    start({1});
    join_legacy(2);
    const FlagAndRegion work = pair(1, R::get_resync_work);
    ASSERT_EQ(work.flag, 1);
    EXPECT_EQ(legacy(2).recovering(), work.region);
    call(1, R::presuspend);
    EXPECT_FALSE(legacy(2).recovering());
    EXPECT_EQ(legacy_pair(2, R::get_resync_work).at(0), 1U);
    call(1, R::postsuspend);
    EXPECT_EQ(node(1).core->life(), LifeState::suspended);
    ASSERT_EQ(requests(1, R::postsuspend).size(), 1U);
}

TEST_F(MixedGroup, a_region_that_a_kernel_waits_for_comes_first_in_all_copies) {
    start({1, 2});
    join_legacy(3);
    EXPECT_EQ(pair(2, R::is_remote_recovering, RegionNumber{40}).flag, 1);
    cluster->settle();
    EXPECT_EQ(legacy_pair(3, R::get_resync_work), (Pair{1, 40}));
    expect_alike(1, 3);
    expect_equal({1, 2});
}

}  // namespace
}  // namespace cmirror::mirror_log
