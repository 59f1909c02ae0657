// A cluster that is cut in two and heals: the side with quorum goes on, and its state wins.
#include <gtest/gtest.h>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

struct Partition : Group {
    Partition() {
        start({1, 2, 3});
        recover_all(1);
    }

    /// Node 3 has region 5 marked when it is lost; after 60 s it counts as fenced.
    void lose_writer_to_be_fenced() {
        Settings settings;
        settings.fenced_after = 60s;
        use(core_log, settings);
        start({1, 2, 3});
        recover_all(1);
        call(3, R::flush, list({5}));
        cluster->crash(3);
    }
};

TEST_F(Partition, majority_goes_on_and_the_minority_waits) {
    cluster->partition({3});
    const auto waits = cluster->ask(3, R::flush, list({5}));
    EXPECT_EQ(error(1, R::flush, list({6})), 0);
    cluster->advance(20s);
    EXPECT_FALSE(answered(3, waits));
}

TEST_F(Partition, minority_answers_what_needs_no_quorum) {
    call(3, R::flush, list({5}));
    cluster->partition({3});
    EXPECT_EQ(error(3, R::clear_region, list({5})), 0);
    EXPECT_EQ(error(3, R::flush), 0);
    EXPECT_EQ(integer(3, R::in_sync, RegionNumber{9}), 1U);
    EXPECT_EQ(pair(3, R::get_resync_work).flag, 0);
}

TEST_F(Partition, states_are_equal_after_it_and_the_waiting_flush_is_answered) {
    cluster->partition({3});
    const auto waits = cluster->ask(3, R::flush, list({5}));
    call(1, R::flush, list({6}));
    call(2, R::flush, list({7}));
    cluster->heal();
    cluster->advance(10s);
    EXPECT_TRUE(answered(3, waits));
    for (const NodeId id : {1U, 2U, 3U})
        ASSERT_TRUE(node(id).core->valid()) << id;
    expect_equal({1, 2, 3});
    EXPECT_TRUE(state(1).marks().marked_by(owner(3), 5));
}

TEST_F(Partition, cut_off_server_takes_the_majoritys_state_over) {
    cluster->partition({1});
    call(2, R::set_region_sync, RegionSync{8, false});
    call(3, R::flush, list({6}));
    cluster->heal();
    cluster->advance(10s);
    ASSERT_TRUE(node(1).core->valid());
    expect_equal({1, 2, 3});
    EXPECT_FALSE(state(1).sync().test(8));
    EXPECT_EQ(state(1).server()->id.node, 1U);
}

TEST_F(Partition, marks_of_the_cut_off_node_keep_their_regions_from_recovery) {
    call(3, R::flush, list({5}));
    cluster->partition({3});
    EXPECT_EQ(integer(1, R::get_sync_count), 69U);
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0);
    cluster->heal();
    cluster->advance(10s);
    EXPECT_EQ(integer(1, R::get_sync_count), 70U);
    EXPECT_TRUE(state(2).marks().marked_by(owner(3), 5));
}

TEST_F(Partition, region_that_the_cut_off_node_cleared_is_clean_after_it) {
    call(3, R::flush, list({5}));
    cluster->partition({3});
    call(3, R::clear_region, list({5}));
    cluster->heal();
    cluster->advance(20s);
    expect_equal({1, 2, 3});
    EXPECT_TRUE(state(1).clean().test(5));
}

TEST_F(Partition, node_fenced_for_long_enough_counts_as_gone) {
    lose_writer_to_be_fenced();
    cluster->advance(59s);
    EXPECT_TRUE(state(1).sync().test(5));
    cluster->advance(5s);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_FALSE(state(1).marks().marked(5));
    expect_equal({1, 2});
}

TEST_F(Partition, daemon_that_was_stopped_hears_of_the_ring_before_it_calls_a_node_fenced) {
    lose_writer_to_be_fenced();
    cluster->settle();
    cluster->now += 70s;
    cluster->advance(500ms);
    EXPECT_TRUE(state(1).marks().marked(5));
    cluster->advance(2s);
    EXPECT_FALSE(state(1).marks().marked(5));
    expect_equal({1, 2});
}

// Whoever says so has not heard yet that the node is back, and its kernel copies and writes on.
TEST_F(Partition, node_that_is_back_in_the_group_does_not_count_as_gone) {
    call(3, R::flush, list({5}));
    cluster->partition({3});
    cluster->drop_next[2] = 1;
    std::erase(cluster->ring, 3);
    cluster->heal();
    cluster->prove_gone(1, 3);
    EXPECT_TRUE(state(1).sync().test(5));
    EXPECT_TRUE(state(1).marks().marked_by(owner(3), 5));
    cluster->advance(10s);
    expect_equal({1, 2, 3});
}

TEST_F(Partition, nobody_is_given_a_state_that_may_lose_the_merge) {
    cluster->partition({3});
    cluster->drop_next[2] = 1;
    cluster->heal();
    start({4});
    EXPECT_FALSE(node(4).core->valid());
    cluster->advance(10s);
    ASSERT_TRUE(node(4).core->valid());
    expect_equal({1, 2, 3, 4});
}

/// The ring that the node says its state last had quorum in, as its group is cut and heals at this moment.
std::uint64_t ring_told(LogCluster::Node& node, const std::vector<MemberId>& others, Instant now) {
    Membership cut{node.member(), {node.member()}, {}, {}};
    Membership healed{node.member(), others, {}, {}};
    healed.members.push_back(node.member());
    for (const MemberId other : others) {
        cut.left.push_back({other, ChangeReason::node_down});
        healed.joined.push_back({other, ChangeReason::node_up});
    }
    Effects effects;
    node.core->membership(cut, now, effects);
    node.core->membership(healed, now, effects);
    for (const Effect& effect : effects)
        if (const auto* send = std::get_if<SendEffect>(&effect))
            if (const auto* standing = std::get_if<Standing>(&send->message)) return standing->quorate_ring;
    return ~std::uint64_t{0};
}

TEST_F(Partition, daemon_that_was_stopped_does_not_claim_quorum_in_the_ring_that_healed) {
    Effects effects;
    node(3).core->quorum(QuorumView{true, 1000, {1, 2, 3}}, cluster->now, effects);
    EXPECT_LT(ring_told(node(3), {node(1).member(), node(2).member()}, cluster->now), 1000U);
}

TEST_F(Partition, ring_that_had_quorum_for_a_while_counts_at_a_merge) {
    Effects effects;
    node(3).core->quorum(QuorumView{true, 1000, {1, 2, 3}}, cluster->now, effects);
    EXPECT_EQ(ring_told(node(3), {node(1).member(), node(2).member()}, cluster->now + 1s), 1000U);
}

TEST_F(Partition, side_that_changes_during_a_merge_is_the_side_that_is_left) {
    cluster->partition({2});
    for (const NodeId id : {1U, 2U, 3U})
        cluster->drop_next[id] = 1;
    cluster->heal();
    cluster->partition({1});
    call(3, R::flush, list({6}));
    cluster->heal();
    cluster->advance(20s);
    for (const NodeId id : {1U, 2U, 3U})
        ASSERT_TRUE(node(id).core->valid()) << id;
    expect_equal({1, 2, 3});
}

TEST_F(Partition, member_that_leaves_and_joins_during_a_merge_has_nothing_to_say_in_it) {
    cluster->partition({3});
    for (const NodeId id : {1U, 2U, 3U})
        cluster->drop_next[id] = 1;
    cluster->heal();
    for (const R type : {R::presuspend, R::postsuspend, R::resume})
        cluster->ask(3, type);
    cluster->advance(20s);
    for (const NodeId id : {1U, 2U, 3U})
        EXPECT_TRUE(node(id).core->status().quorate) << id;
    expect_equal({1, 2, 3});
}

TEST_F(Partition, node_that_leaves_while_its_side_loses_the_merge_is_suspended) {
    cluster->partition({3});
    call(3, R::presuspend);
    // Its last word is lost: it waits for it.
    cluster->drop_next[3] = 1;
    const auto leaves = cluster->ask(3, R::postsuspend);
    cluster->settle();
    ASSERT_EQ(node(3).core->life(), LifeState::leaving);
    cluster->heal();
    EXPECT_TRUE(answered(3, leaves));
    EXPECT_EQ(node(3).core->life(), LifeState::suspended);
    cluster->advance(10s);
    EXPECT_FALSE(node(3).joined);
}

TEST_F(Partition, state_that_was_started_since_does_not_vouch_for_its_node) {
    call(1, R::presuspend);
    call(1, R::postsuspend);
    cluster->partition({3});
    call(1, R::resume);
    ASSERT_EQ(error(1, R::flush, list({6})), 0);
    cluster->crash(1);
    ASSERT_FALSE(node(2).core->status().quorate);
    // Node 2 alone knows of the mark, and forgets it with the state.
    for (const R type : {R::presuspend, R::postsuspend, R::resume})
        call(2, type);
    cluster->heal();
    cluster->advance(20s);
    ASSERT_TRUE(node(3).core->valid());
    EXPECT_EQ(integer(3, R::in_sync, RegionNumber{6}), 0U);
}

TEST_F(Partition, side_that_never_lost_quorum_keeps_its_state_when_the_others_are_gone) {
    cluster->crash(1);
    cluster->crash(3);
    cluster->advance(20s);
    EXPECT_EQ(integer(2, R::in_sync, RegionNumber{6}), 1U);
}

TEST_F(Partition, partition_during_a_merge_leaves_quorum_lost) {
    start({1, 2, 3});
    cluster->partition({3});
    // Members 1 and 2 do not speak before they are cut off again.
    cluster->drop_next[1] = 1;
    cluster->drop_next[2] = 1;
    cluster->heal();
    cluster->partition({3});
    ASSERT_FALSE(answered(3, cluster->ask(3, R::flush, list({5}))));
    // The quorum service is the first to see that the partition heals.
    cluster->set_quorum(3, true);
    cluster->settle();
    EXPECT_FALSE(node(3).core->status().quorate);
}

}  // namespace
}  // namespace cmirror::mirror_log
