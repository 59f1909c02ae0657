// Who is legacy, and how the state goes from ours to legacy members and back (spec/cluster-v5.md; design.md, "Mixed
// clusters").
#include "tests/unit/legacy_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using std::chrono::seconds;

TEST_F(MixedGroup, nothing_is_said_in_the_fields_words_among_ours) {
    start({1, 2, 3});
    call(1, R::get_resync_work);
    call(2, R::mark_region, list({5}));
    call(2, R::flush);
    call(2, R::clear_region, list({5}));
    call(3, R::set_region_sync, RegionSync{9, false});
    cluster->advance(seconds{20});
    for (const NodeId id : {1U, 2U, 3U})
        EXPECT_FALSE(spoke_legacy(id)) << id;
    EXPECT_FALSE(state(1).mixed());
}

TEST_F(MixedGroup, legacy_member_joins_ours_and_gets_the_state) {
    start({1});
    for (RegionNumber region = 0; region < 3; ++region)
        recover(1, pair(1, R::get_resync_work).region);
    cluster->advance(seconds{3});
    auto& member = join_legacy(2);
    EXPECT_TRUE(member.valid());
    EXPECT_TRUE(member.reply_to(0));
    expect_alike(1, 2);
    EXPECT_TRUE(member.in_sync(2));
    EXPECT_FALSE(member.in_sync(3));
}

TEST_F(MixedGroup, checkpoint_is_the_recorded_one) {
    // tests/golden/data/three-nodes-core.frames: node 1 has recovered three regions and marks one of them; node 2
    // joins.
    start({1});
    for (RegionNumber region = 0; region < 3; ++region) {
        const RegionNumber found = pair(1, R::get_resync_work).region;
        call(1, R::set_region_sync, RegionSync{found, true});
    }
    call(1, R::mark_region, list({2}));
    call(1, R::flush);
    cluster->advance(seconds{3});
    join_legacy(2);
    const auto sent = checkpoints(1);
    ASSERT_EQ(sent.size(), 1U);
    LegacyCheckpoint recorded{{7, 0, 0}, {0, 0, 0}, legacy_no_region, 1};
    const LegacyFrame frame{2, 0, 0, 0, 1, legacy_checkpoint_ready, pack_legacy_checkpoint(recorded, 70)};
    EXPECT_EQ(sent[0], frame);
}

TEST_F(MixedGroup, a_member_that_says_nothing_delays_nobody) {
    start({1, 2});
    // What it says at its join is lost: it is of unknown kind.
    cluster->drop_next[3] = 1;
    const auto& member = join_legacy(3);
    EXPECT_FALSE(state(1).mixed());
    EXPECT_EQ(error(1, R::mark_region, list({4})), 0);
    EXPECT_EQ(error(1, R::flush), 0);
    EXPECT_EQ(pair(2, R::get_resync_work).flag, 1);
    EXPECT_FALSE(member.valid());
    EXPECT_FALSE(spoke_legacy(1));
}

TEST_F(MixedGroup, ours_joins_a_legacy_server_with_its_checkpoint) {
    join_legacy(1);
    for (RegionNumber region = 0; region < 3; ++region) {
        const RegionNumber found = legacy_pair(1, R::get_resync_work).at(1);
        EXPECT_TRUE(legacy_done(1, R::set_region_sync, {found, 1}));
    }
    EXPECT_TRUE(legacy_done(1, R::mark_region, {2}));
    start({2});
    ASSERT_EQ(node(2).core->life(), LifeState::active);
    expect_alike(2, 1);
    EXPECT_EQ(integer(2, R::get_sync_count), 3U);
    EXPECT_EQ(integer(2, R::is_clean, RegionNumber{2}), 0U);
    EXPECT_TRUE(state(2).marks().of(unknown_owner).contains(2));
}

TEST_F(MixedGroup, ours_that_has_spoken_in_the_fields_words_alone_is_not_taken_for_legacy_at_once) {
    Settings settings = LogCluster::without_doubt();
    settings.legacy_settle = seconds{1};
    use(core_log, settings);
    join_legacy(1);
    start({2});
    EXPECT_EQ(node(2).core->life(), LifeState::joining);
    cluster->advance(seconds{2});
    EXPECT_EQ(node(2).core->life(), LifeState::active);
}

TEST_F(MixedGroup, ours_joins_below_a_legacy_member_and_serves_it) {
    join_legacy(5);
    EXPECT_TRUE(legacy_done(5, R::mark_region, {2}));
    start({2});
    ASSERT_EQ(node(2).core->life(), LifeState::active);
    EXPECT_TRUE(legacy_done(5, R::flush));
    EXPECT_EQ(responses(2, R::flush).size(), 1U);
    EXPECT_EQ(legacy_pair(5, R::get_resync_work), (Pair{1, 0}));
    expect_alike(2, 5);
}

TEST_F(MixedGroup, requests_made_while_ours_takes_the_state_are_answered) {
    join_legacy(5);
    cluster->add(2);
    cluster->call(2, R::ctr, ConstructorText{core_log, false});
    cluster->ask(2, R::resume);
    // The legacy member hears of the join first: it holds node 2 for the server.
    cluster->step(5);
    const std::uint32_t seq = legacy_ask(5, R::mark_region, {7});
    cluster->settle();
    EXPECT_TRUE(legacy(5).reply_to(seq));
    EXPECT_TRUE(state(2).marks().of({5, legacy_luid}).contains(7));
}

TEST_F(MixedGroup, second_of_ours_takes_the_whole_state_from_the_first) {
    join_legacy(1);
    start({2});
    EXPECT_EQ(error(2, R::mark_region, list({9})), 0);
    EXPECT_EQ(error(2, R::flush), 0);
    start({3});
    ASSERT_EQ(node(3).core->life(), LifeState::active);
    EXPECT_TRUE(state(3).marks().of(owner(2)).contains(9));
    expect_equal({2, 3});
    expect_alike(3, 1);
}

TEST_F(MixedGroup, ours_below_all_takes_the_state_from_one_of_ours) {
    start({2});
    join_legacy(3);
    EXPECT_EQ(error(2, R::mark_region, list({9})), 0);
    EXPECT_EQ(error(2, R::flush), 0);
    start({1});
    ASSERT_EQ(node(1).core->life(), LifeState::active);
    expect_equal({1, 2});
    EXPECT_TRUE(legacy_done(3, R::flush));
    EXPECT_EQ(responses(1, R::flush).size(), 1U);
    EXPECT_EQ(responses(2, R::flush).size(), 0U);
}

TEST_F(MixedGroup, a_silent_older_member_counts_as_legacy_after_a_time) {
    join_legacy(1);
    // It joined, and nobody who is there now has heard of it.
    cluster->drop_next[3] = 100;
    join_legacy(3);
    start({4});
    EXPECT_EQ(node(4).core->life(), LifeState::joining);
    cluster->advance(seconds{6});
    EXPECT_EQ(node(4).core->life(), LifeState::active);
}

TEST_F(MixedGroup, the_state_lost_with_its_only_sender_is_started_anew_with_legacy_joiners_told) {
    start({1});
    cluster->add(2);
    cluster->call(2, R::ctr, ConstructorText{core_log, false});
    cluster->ask(2, R::resume);
    cluster->join_legacy(3, region_count);
    cluster->crash(1);
    cluster->settle();
    EXPECT_EQ(node(2).core->life(), LifeState::active);
    EXPECT_TRUE(legacy(3).valid());
    expect_alike(2, 3);
}

TEST_F(MixedGroup, a_checkpoint_sender_that_dies_is_replaced) {
    start({1, 2});
    cluster->join_legacy(3, region_count);
    cluster->drop_next[1] = 100;
    for (int i = 0; i < 3; ++i)
        cluster->step(1);
    cluster->crash(1);
    cluster->settle();
    EXPECT_TRUE(legacy(3).valid());
    EXPECT_EQ(checkpoints(2).size(), 1U);
}

TEST_F(MixedGroup, last_legacy_member_leaves_and_the_group_is_fast_again) {
    start({1, 2});
    join_legacy(3);
    ASSERT_TRUE(mixed(1));
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 1);
    cluster->leave_legacy(3);
    EXPECT_FALSE(state(1).mixed());
    EXPECT_FALSE(state(2).mixed());
    cluster->spoken.clear();
    recover(1, 0);
    recover_all(2);
    EXPECT_FALSE(spoke_legacy(1));
    EXPECT_FALSE(spoke_legacy(2));
    call(1, R::mark_region, list({6}));
    call(1, R::flush);
    call(1, R::clear_region, list({6}));
    EXPECT_TRUE(state(2).marks().of(owner(1)).contains(6)) << "warm";
    expect_equal({1, 2});
}

}  // namespace
}  // namespace cmirror::mirror_log
