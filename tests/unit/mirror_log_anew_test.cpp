// A log that starts anew although kernels live on which wrote to it: what is still known of their marks.
#include <gtest/gtest.h>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

struct Anew : Group {
    Anew() { begin(core_log); }

    void begin(const std::string& arguments) {
        use(arguments);
        start({1, 2, 3});
        recover_all(1);
    }
};

// What the majority wrote and then lost in a crash, the cut-off side never heard of.
TEST_F(Anew, side_that_others_may_have_outvoted_starts_anew_when_they_are_gone) {
    cluster->partition({2});
    call(1, R::flush, list({6}));
    cluster->crash(1);
    cluster->crash(3);
    cluster->advance(20s);
    ASSERT_TRUE(node(2).core->valid());
    ASSERT_TRUE(node(2).core->status().quorate);
    EXPECT_EQ(integer(2, R::in_sync, RegionNumber{6}), 0U);
}

// Its copy would lack what the other side writes meanwhile.
TEST_F(Anew, side_that_starts_anew_leaves_alone_what_the_others_had_marked) {
    call(2, R::presuspend);
    call(2, R::postsuspend);
    call(3, R::flush, list({6}));
    cluster->set_quorum(1, false);
    cluster->partition({3});
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->valid());
    ASSERT_TRUE(node(1).core->status().quorate);
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 0U);
    // Nor of what it has marked since: any region may be one.
    EXPECT_TRUE(state(1).marks().has_everything(owner(3)));
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0U);
    cluster->heal();
    cluster->advance(20s);
    expect_equal({1, 3});
    call(3, R::clear_region, list({6}));
    cluster->advance(20s);
    recover_all(1);
    EXPECT_EQ(integer(1, R::get_sync_count), 70U);
}

TEST_F(Anew, member_that_waits_for_the_state_that_starts_anew_leaves_them_alone_as_well) {
    suspend(2);
    call(3, R::flush, list({6}));
    cluster->set_quorum(1, false);
    cluster->partition({3});
    const auto resumes = cluster->ask(2, R::resume);
    cluster->settle();
    ASSERT_FALSE(answered(2, resumes));
    cluster->advance(20s);
    ASSERT_TRUE(node(2).core->valid());
    EXPECT_EQ(integer(2, R::in_sync, RegionNumber{5}), 0U);
    EXPECT_TRUE(state(2).marks().marked_by(owner(3), 6));
    expect_equal({1, 2});
}

TEST_F(Anew, members_of_a_side_that_starts_anew_join_it_with_their_marks) {
    call(2, R::flush, list({7}));
    cluster->set_quorum(1, false);
    cluster->partition({3});
    cluster->advance(20s);
    for (const NodeId id : {1U, 2U})
        ASSERT_TRUE(node(id).core->status().quorate) << id;
    EXPECT_EQ(integer(2, R::in_sync, RegionNumber{5}), 0U);
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 7));
    expect_equal({1, 2});
}

TEST_F(Anew, word_that_the_state_starts_anew_may_be_lost) {
    cluster->set_quorum(1, false);
    cluster->partition({3});
    cluster->drop_next[1] = 1;
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->status().quorate);
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 0U);
    expect_equal({1, 2});
}

TEST_F(Anew, nosync_does_not_speak_of_what_others_may_have_written_since) {
    use("71680 clustered-core 1024 nosync");
    start({1, 3});
    ASSERT_EQ(integer(1, R::in_sync, RegionNumber{5}), 1U);
    cluster->set_quorum(1, false);
    cluster->add(2);
    cluster->partition({3});
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->status().quorate);
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 0U);
}

// It lost the comparison of states, and the winners before they gave it theirs: what they wrote last it never heard of.
TEST_F(Anew, side_that_gave_way_and_lost_the_others_starts_anew_and_leaves_their_regions_alone) {
    cluster->partition({3});
    cluster->advance(2s);
    // Step by step: heal() would let it have the state.
    node(3).side = 0;
    const MemberId one = node(1).member(), two = node(2).member(), three = node(3).member();
    const MemberChange back{three, ChangeReason::node_up};
    for (const NodeId id : {1U, 2U})
        node(id).inbox.emplace_back(Membership{node(id).member(), {one, two, three}, {}, {back}});
    const std::vector<MemberChange> others{{one, ChangeReason::node_up}, {two, ChangeReason::node_up}};
    node(3).inbox.emplace_back(Membership{three, {one, two, three}, {}, others});
    while (node(3).core->valid() && (cluster->step(1) || cluster->step(2) || cluster->step(3))) {
    }
    ASSERT_FALSE(node(3).core->valid());
    cluster->lose({1, 2}, ChangeReason::node_down);
    cluster->set_quorum(3, true);
    cluster->advance(20s);
    ASSERT_TRUE(node(3).core->valid());
    EXPECT_TRUE(state(3).marks().has_everything(owner(1)));
    EXPECT_EQ(pair(3, R::get_resync_work).flag, 0U);
}

// A kernel keeps what it had marked when it was suspended as regions that only it can recover.
TEST_F(Anew, region_whose_mark_outlasted_a_suspend_is_not_recovered_by_others) {
    call(2, R::flush, list({7}));
    for (const R type : {R::presuspend, R::postsuspend, R::resume})
        call(2, type);
    cluster->advance(2s);
    cluster->set_quorum(1, false);
    cluster->partition({3});
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->status().quorate);
    cluster->prove_gone(1, 3);
    cluster->settle();
    std::uint64_t recovered = 0;
    for (auto work = pair(1, R::get_resync_work); work.flag != 0; work = pair(1, R::get_resync_work)) {
        EXPECT_NE(work.region, 7U);
        recover(1, work.region);
        ++recovered;
    }
    EXPECT_EQ(recovered, 69U);
    EXPECT_FALSE(state(1).sync().test(7));
}

// The group does not see a node go whose daemon was lost before.
TEST_F(Anew, node_without_a_daemon_may_have_started_the_log_on_the_other_side) {
    suspend(2);
    cluster->kill(3);
    cluster->partition({1});
    cluster->restart(3, false);
    cluster->advance(10s);
    ASSERT_EQ(error(3, R::flush, list({6})), 0);
    cluster->crash(3);
    cluster->heal();
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->valid());
    ASSERT_TRUE(node(1).core->status().quorate);
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{6}), 0U);
}

TEST_F(Anew, node_whose_corosync_was_lost_leaves_alone_what_the_others_had_marked) {
    call(2, R::flush, list({6}));
    cluster->lose_cluster(1);
    suspend(3);
    cluster->partition({2});
    cluster->regain_cluster(1);
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 0U);
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 6));
}

// It lost its own quorum with its corosync; the others went on with theirs.
TEST_F(Anew, member_that_was_given_the_state_has_the_quorum_of_who_gave_it) {
    cluster->lose_cluster(1);
    cluster->regain_cluster(1);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(node(1).core->status().quorate);
    cluster->crash(3);
    cluster->advance(20s);
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 1U);
    expect_equal({1, 2});
}

TEST_F(Anew, what_the_log_device_calls_clean_is_nobodys_any_more) {
    begin(disk_log);
    call(2, R::flush, list({6}));
    call(3, R::flush, list({7}));
    cluster->lose_cluster(1);
    call(3, R::clear_region, list({7}));
    suspend(3);
    cluster->advance(20s);
    cluster->partition({2});
    cluster->regain_cluster(1);
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 6));
    EXPECT_FALSE(state(1).marks().marked(7));
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{7}), 1U);
}

TEST_F(Anew, last_member_that_is_suspended_remembers_what_a_node_out_of_sight_had_marked) {
    call(2, R::flush, list({6}));
    suspend(3);
    cluster->partition({2});
    for (const R type : {R::presuspend, R::postsuspend, R::resume})
        call(1, type);
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 6));
}

// The second one would be taken for a resume without a suspend: the PRESUSPEND that was answered meanwhile is
// forgotten.
TEST_F(Anew, resume_that_the_socket_gives_twice_counts_once) {
    cluster->kill(2);
    cluster->revive(2, false);
    call(2, R::ctr, ConstructorText{core_log, true});
    cluster->requests_come_twice = true;
    cluster->ask(2, R::resume);
    cluster->ask(2, R::presuspend);
    cluster->settle();
    ASSERT_TRUE(node(2).core->valid());
    EXPECT_EQ(node(2).core->life(), LifeState::presuspended);
}

}  // namespace
}  // namespace cmirror::mirror_log
