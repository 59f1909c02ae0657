// Three daemons over three real corosyncs, driven by a stand-in for each node's kernel: whatever fails, no answer is
// wrong or missing, and afterwards all have the same state.
#include <gtest/gtest.h>

#include "tests/cluster/three_daemons.hpp"

namespace cmirror::test {
namespace {

TEST_F(ThreeDaemons, all_recover_and_all_write) {
    start_in_sync();
    start_writing();
    ASSERT_TRUE(cluster.until_more_writes(500, {1, 2, 3})) << cluster.report();
    expect_well();
}

TEST_F(ThreeDaemons, writes_go_on_while_the_mirror_is_resynchronised) {
    cluster.create_all();
    for (const NodeId id : {1U, 2U, 3U})
        cluster.recover(id);
    start_writing();
    ASSERT_TRUE(cluster.until_in_sync()) << cluster.report();
    expect_well();
}

TEST_F(ThreeDaemons, killed_daemon_gets_its_log_back) {
    start_in_sync();
    start_writing();
    for (const NodeId victim : {1U, 3U}) {
        cluster.kill_daemon(victim);
        ASSERT_TRUE(cluster.until_more_writes(20, victim == 1 ? std::vector<NodeId>{2, 3} : std::vector<NodeId>{1, 2}))
            << cluster.report();
        cluster.start_daemon(victim);
        ASSERT_TRUE(cluster.until_more_writes(20, {1, 2, 3})) << cluster.report();
        EXPECT_GE(cluster.kernel(victim).counters().reconnects, 1U);
    }
    expect_well();
    EXPECT_TRUE(cluster.until_in_sync()) << "nothing is resynchronised for it" << cluster.report();
}

TEST_F(ThreeDaemons, corosync_that_is_killed_and_started_again) {
    start_in_sync();
    start_writing();
    cluster.corosync().kill(2);
    ASSERT_TRUE(cluster.until_more_writes(20, {1, 3})) << cluster.report();
    ASSERT_TRUE(cluster.until([this] { return cluster.snapshot(2)->state == "joining"; })) << cluster.report();
    const auto mark = cluster.mark_once(2, written_by_another(2));
    EXPECT_TRUE(cluster.ask(2, RequestType::get_sync_count)) << cluster.report();
    EXPECT_FALSE(*mark) << cluster.report();
    cluster.corosync().start(2);
    expect_durable(mark);
    ASSERT_TRUE(cluster.until_more_writes(20, {1, 2, 3})) << cluster.report();
    EXPECT_EQ(cluster.kernel(2).counters().reconnects, 0U) << "its daemon lives";
    expect_well();
}

TEST_F(ThreeDaemons, node_that_is_cut_off_waits_and_goes_on) {
    start_in_sync();
    start_writing();
    cluster.corosync().disconnect(3);
    ASSERT_TRUE(cluster.until([this] {
        const auto seen = cluster.snapshot(3);
        return seen && seen->quorum == "NO";
    })) << cluster.report();
    ASSERT_TRUE(cluster.until_more_writes(20, {1, 2})) << cluster.report();
    const auto mark = expect_marks_wait(3);
    const auto before = cluster.writes(3);
    ASSERT_TRUE(cluster.until_more_writes(50, {1, 2})) << cluster.report();
    // Regions that it has marked already may be written without a round; new ones not.
    EXPECT_LE(cluster.writes(3) - before, DaemonCluster::region_count) << cluster.report();
    EXPECT_FALSE(*mark);
    cluster.corosync().connect(3);
    expect_durable(mark);
    expect_well();
}

TEST_F(ThreeDaemons, suspends_in_a_loop_while_the_others_write) {
    start_in_sync();
    start_writing();
    cluster.suspend_and_resume(2, 8);
    ASSERT_TRUE(cluster.until([this] { return cluster.suspended_often_enough(2); })) << cluster.report();
    expect_well();
    EXPECT_TRUE(cluster.until_in_sync()) << cluster.report();
}

TEST_F(ThreeDaemons, two_daemons_lost_at_once) {
    start_in_sync();
    start_writing();
    cluster.kill_daemon(1);
    cluster.kill_daemon(2);
    ASSERT_TRUE(cluster.until_more_writes(20, {3})) << cluster.report();
    cluster.start_daemon(1);
    cluster.start_daemon(2);
    expect_well();
}

}  // namespace
}  // namespace cmirror::test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    cmirror::test::enter_private_namespaces();
    return RUN_ALL_TESTS();
}
