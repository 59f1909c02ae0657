// A table that is loaded again makes another instance: what it knows of kernels whose daemons are gone.
#include <gtest/gtest.h>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

struct Reload : Group {
    Reload() { begin(core_log); }

    void begin(const std::string& arguments) {
        use(arguments);
        start({1, 2, 3});
        recover_all(1);
    }
    /// Node 2 has marked region 6, and loses its daemon; node 3 has left.
    void leave_a_kernel_without_a_daemon() {
        call(2, R::flush, list({6}));
        suspend(3);
        cluster->kill(2);
    }
    /// Node 1 has marked region 5; its daemon dies before it has given node 2 the state.
    void lose_the_only_daemon_as_another_joins(const std::string& arguments) {
        use(arguments);
        start({1});
        recover_all(1);
        call(1, R::flush, list({5}));
        cluster->add(2);
        call(2, R::ctr, ConstructorText{arguments, false});
        cluster->ask(2, R::resume);
        cluster->kill(1);
    }
};

// The daemon of node 2 alone is gone: its kernel still writes region 6.
TEST_F(Reload, table_loaded_again_on_the_last_node_leaves_alone_what_a_kernel_without_a_daemon_had_marked) {
    for (const std::string table : {core_log, disk_log}) {
        begin(table);
        leave_a_kernel_without_a_daemon();
        cluster->reload(1);
        cluster->advance(20s);
        ASSERT_TRUE(node(1).core->valid());
        EXPECT_TRUE(state(1).marks().marked_by(owner(2), 6) || state(1).marks().has_everything(owner(2)));
        for (auto work = pair(1, R::get_resync_work); work.flag != 0; work = pair(1, R::get_resync_work)) {
            ASSERT_NE(work.region, 6U) << table;
            recover(1, work.region);
        }
        // The daemon is back with its state file, and its kernel goes on.
        cluster->restart(2, false);
        call(2, R::clear_region, list({6}));
        call(2, R::flush);
        recover_all(2);
        expect_equal({1, 2});
    }
}

// It dies a moment after the last word of the instance before: who left first never hears of it.
TEST_F(Reload, table_loaded_again_finds_the_others_gone_and_leaves_alone_what_they_had_marked) {
    for (const std::string table : {core_log, disk_log}) {
        begin(table);
        suspend(3);
        call(2, R::flush, list({6}));
        suspend(1);
        // It had marked this since.
        call(2, R::flush, list({7}));
        cluster->kill(2);
        cluster->reload(1);
        cluster->advance(20s);
        ASSERT_TRUE(node(1).core->valid());
        EXPECT_TRUE(state(1).marks().marked_by(owner(2), 6));
        EXPECT_TRUE(table == core_log || state(1).marks().marked_by(owner(2), 7));
        EXPECT_FALSE(state(1).marks().has_everything(owner(2)));
        EXPECT_EQ(state(1).absent_owners(), std::vector{owner(2)});
        for (auto work = pair(1, R::get_resync_work); work.flag != 0; work = pair(1, R::get_resync_work)) {
            ASSERT_NE(work.region, 6U) << table;
            recover(1, work.region);
        }
        EXPECT_GE(state(1).sync_count(), 68U);
    }
}

// It cannot be told from one whose daemon died just then: what it had marked and was copying waits for it, for a while.
TEST_F(Reload, who_left_in_good_order_is_waited_for_a_minute_alone) {
    for (const std::string table : {core_log, disk_log}) {
        use(table);
        start({1, 2});
        const RegionNumber copied = pair(2, R::get_resync_work).region;
        call(2, R::flush, list({60}));
        for (const NodeId id : {1U, 2U})
            suspend(id);
        cluster->reload(1);
        ASSERT_TRUE(node(1).core->valid());
        EXPECT_TRUE(state(1).marks().marked_by(owner(2), copied));
        EXPECT_TRUE(state(1).marks().marked_by(owner(2), 60));
        EXPECT_FALSE(state(1).marks().has_everything(owner(2)));
        cluster->advance(Settings{}.back_within);
        EXPECT_TRUE(state(1).absent_owners().empty());
        recover_all(1);
    }
}

// Node 2 leaves in good order, activates the mirror again, and loses its daemon a minute after node 1 had started
// alone.
TEST_F(Reload, who_was_doubted_and_came_back_is_doubted_no_more) {
    use(core_log);
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({6}));
    for (const NodeId id : {1U, 2U})
        suspend(id);
    cluster->reload(1);
    cluster->advance(10s);
    call(2, R::resume);
    ASSERT_TRUE(node(2).core->valid());
    ASSERT_EQ(error(2, R::flush, list({7})), 0);
    cluster->advance(Settings{}.back_within - 12s);
    cluster->kill(2);
    cluster->advance(Settings{}.back_within + 20s);
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 7));
}

// Its daemon was gone before: it did not leave in good order.
TEST_F(Reload, who_had_no_daemon_when_the_last_ones_left_is_not_doubted) {
    call(2, R::flush, list({6}));
    cluster->kill(2);
    for (const NodeId id : {1U, 3U})
        suspend(id);
    cluster->reload(1);
    cluster->advance(Settings{}.back_within + 5s);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 6));
    EXPECT_FALSE(state(1).has_doubts());
}

// Who took the doubted marks in is gone before the minute is over: the doubt is part of the state.
TEST_F(Reload, doubts_outlive_who_had_them) {
    call(2, R::flush, list({6}));
    for (const NodeId id : {3U, 1U, 2U})
        suspend(id);
    cluster->reload(1);
    ASSERT_TRUE(state(1).has_doubts());
    call(3, R::resume);
    ASSERT_TRUE(node(3).core->valid());
    expect_equal({1, 3});
    suspend(1);
    EXPECT_TRUE(state(3).marks().marked_by(owner(2), 6));
    cluster->advance(Settings{}.back_within + 1s);
    EXPECT_TRUE(state(3).absent_owners().empty());
    recover_all(3);
}

// The state starts anew: what is doubted is not taken for everything.
TEST_F(Reload, doubts_outlive_a_suspend) {
    call(2, R::flush, list({6}));
    for (const NodeId id : {3U, 1U, 2U})
        suspend(id);
    cluster->reload(1);
    ASSERT_TRUE(state(1).has_doubts());
    suspend(1);
    call(1, R::resume);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 6));
    EXPECT_FALSE(state(1).marks().has_everything(owner(2)));
    cluster->advance(Settings{}.back_within + 1s);
    EXPECT_TRUE(state(1).absent_owners().empty());
    recover_all(1);
}

// corosync is restarted on the last node, which is suspended and resumed meanwhile.
TEST_F(Reload, suspend_while_the_group_is_joined_keeps_what_others_had_marked) {
    leave_a_kernel_without_a_daemon();
    cluster->lose_cluster(1);
    ASSERT_EQ(node(1).core->life(), LifeState::joining);
    for (const R type : {R::presuspend, R::postsuspend})
        cluster->ask(1, type);
    ASSERT_EQ(node(1).core->life(), LifeState::suspended);
    cluster->advance(20s);
    cluster->regain_cluster(1);
    call(1, R::resume);
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 6) || state(1).marks().has_everything(owner(2)));
}

TEST_F(Reload, who_was_seen_to_be_cut_off_is_not_doubted) {
    call(2, R::flush, list({6}));
    suspend(1);
    suspend(3);
    cluster->crash(2);
    cluster->reload(1);
    cluster->advance(2 * Settings{}.back_within);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 6)) << "fenced_after is never";
}

// The administrator says that the legs are equal, and so they are but for what was marked.
TEST_F(Reload, nosync_counts_for_what_the_others_had_not_marked) {
    call(2, R::flush, list({6}));
    for (const NodeId id : {1U, 3U})
        suspend(id);
    cluster->kill(2);
    cluster->reload(1, "71680 clustered-core 1024 nosync");
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 1U);
    EXPECT_EQ(integer(1, R::get_sync_count), 69U);
    cluster->restart(2, false);
    call(2, R::clear_region, list({6}));
    recover_all(2);
    expect_equal({1, 2});
}

// Its node is in the ring again, without a daemon.
TEST_F(Reload, suspend_of_a_log_that_was_alone_keeps_what_others_had_marked) {
    call(2, R::flush, list({6}));
    cluster->lose({2, 3}, ChangeReason::node_down);
    cluster->set_quorum(1, true);
    cluster->advance(20s);
    suspend(1);
    cluster->add(2);
    call(1, R::resume);
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0U);
}

// The only daemon with the state dies before it has given it: its kernel goes on with what it had marked.
TEST_F(Reload, joiner_that_was_given_no_state_leaves_alone_what_that_kernel_may_write) {
    for (const std::string table : {core_log, disk_log}) {
        lose_the_only_daemon_as_another_joins(table);
        cluster->advance(20s);
        ASSERT_TRUE(node(2).core->valid());
        EXPECT_TRUE(state(2).marks().marked_by({1, unseen_luid}, 5)) << table;
        for (auto work = pair(2, R::get_resync_work); work.flag != 0; work = pair(2, R::get_resync_work)) {
            ASSERT_NE(work.region, 5U) << table;
            recover(2, work.region);
        }
        cluster->restart(1, false);
        cluster->advance(1s);
        expect_equal({1, 2});
        EXPECT_TRUE(state(2).marks().marked_by(owner(1), 5));
        EXPECT_FALSE(state(2).marks().has_everything(owner(1)));
        EXPECT_TRUE(state(2).absent_owners().empty());
        call(1, R::clear_region, list({5}));
        cluster->advance(1s);
        recover_all(2);
    }
}

TEST_F(Reload, kernel_that_was_not_heard_of_may_turn_out_to_be_gone) {
    lose_the_only_daemon_as_another_joins(core_log);
    cluster->advance(1s);
    ASSERT_TRUE(state(2).marks().has_everything({1, unseen_luid}));
    EXPECT_EQ(pair(2, R::get_resync_work).flag, 0U);
    cluster->crash(1);
    cluster->prove_gone(2, 1);
    cluster->advance(1s);
    EXPECT_TRUE(state(2).absent_owners().empty());
    recover_all(2);
}

// They had marked nothing, and nobody waits for them.
TEST_F(Reload, table_loaded_again_as_the_others_leave_has_nothing_of_them) {
    for (const NodeId id : {1U, 2U, 3U})
        suspend(id);
    cluster->reload(1);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(state(1).absent_owners().empty());
    recover_all(1);
}

TEST_F(Reload, nosync_of_a_table_loaded_again_does_not_speak_of_what_a_kernel_without_a_daemon_writes) {
    leave_a_kernel_without_a_daemon();
    cluster->reload(1, "71680 clustered-core 1024 nosync");
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 0U);
}

TEST_F(Reload, larger_table_on_the_last_node_leaves_everything_to_a_kernel_without_a_daemon) {
    leave_a_kernel_without_a_daemon();
    cluster->reload(1, "81920 clustered-core 1024");
    cluster->advance(20s);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_EQ(state(1).region_count(), 80U);
    EXPECT_TRUE(state(1).marks().has_everything(owner(2)));
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0U);
}

TEST_F(Reload, table_loaded_again_beside_others_takes_their_state) {
    call(2, R::flush, list({6}));
    cluster->kill(3);
    cluster->reload(1);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_FALSE(state(1).marks().has_everything(owner(3)));
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 1U);
    expect_equal({1, 2});
}

// Its side had the region in sync, and gave way; its daemon dies, its marks are lost, and a kernel of the other side
// copies that region when it is back.
TEST_F(Reload, kernel_that_lost_its_marks_waits_for_copies_of_what_its_side_had_in_sync) {
    use(core_log);
    start({1, 2, 3, 4, 5});
    cluster->lose_state_files = true;
    const RegionNumber region = pair(4, R::get_resync_work).region;
    cluster->partition({1, 4});
    recover(4, region);
    cluster->advance(1s);
    ASSERT_TRUE(state(1).sync().test(region));
    ASSERT_FALSE(state(2).sync().test(region));
    cluster->ask(1, R::mark_region, list({region}));
    cluster->kill(1);
    cluster->heal();
    cluster->advance(5s);
    ASSERT_TRUE(node(4).core->valid());
    RegionNumber work = ~RegionNumber{0};
    while (work != region) {
        const FlagAndRegion given = pair(4, R::get_resync_work);
        ASSERT_EQ(given.flag, 1U);
        work = given.region;
        if (work != region) recover(4, work);
    }
    cluster->restart(1, false);
    const auto flush = cluster->ask(1, R::flush, RegionList{});
    cluster->settle();
    EXPECT_FALSE(answered(1, flush)) << "node 4 copies it";
    recover(4, region);
    cluster->advance(1s);
    EXPECT_TRUE(answered(1, flush));
}

}  // namespace
}  // namespace cmirror::mirror_log
