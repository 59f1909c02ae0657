// Daemons and nodes that come back: what belongs to the old kernel, and what to one that lives on (design.md, rules 5,
// 10 and 11).
#include "tests/unit/attack_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

struct AttackRestart : Attack {
    AttackRestart() {
        start({1, 2});
        recover_all(1);
    }
    /// Nothing may be clean where a kernel that lives on has I/O under way.
    void expect_dirty(std::initializer_list<NodeId> ids, RegionNumber region) {
        for (const NodeId id : ids)
            EXPECT_FALSE(state(id).clean().test(region)) << "node " << id;
    }
};

TEST_F(AttackRestart, S10_NodeThatRebootedDoesNotInheritItsOldKernelsMarks) {
    call(2, R::flush, list({5}));
    cluster->crash(2);
    cluster->restart(2, true);
    cluster->advance(60s);
    for (const NodeId id : {1U, 2U}) {
        EXPECT_FALSE(state(id).sync().test(5)) << "its writer died";
        EXPECT_FALSE(state(id).clean().test(5));
        EXPECT_FALSE(state(id).marks().marked(5));
    }
    expect_equal({1, 2});
}

TEST_F(AttackRestart, S10_NodeThatRebootedAndHasTheSameLuidByChance) {
    call(2, R::flush, list({5}));
    const Luid luid = node(2).luid;
    cluster->crash(2);
    cluster->revive(2, true, luid);
    call(2, R::ctr, ConstructorText{core_log, false});
    call(2, R::resume);
    ASSERT_TRUE(node(2).core->valid());
    cluster->advance(60s);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_FALSE(state(1).marks().marked(5));
    expect_equal({1, 2});
}

TEST_F(AttackRestart, S10_RebootBeforeTheRingLostTheNode) {
    call(2, R::flush, list({5}));
    cluster->kill(2);
    cluster->restart(2, true);
    cluster->advance(60s);
    EXPECT_FALSE(state(1).sync().test(5));
}

TEST_F(AttackRestart, S10_RegionWithIoInFlightAllTheTimeIsNotTakenForIdleAfterARestart) {
    call(2, R::flush, list({5}));
    cluster->kill(2);
    cluster->restart(2, false);
    cluster->advance(600s);
    EXPECT_TRUE(marked(1, 2, 5));
    expect_dirty({1, 2}, 5);
}

TEST_F(AttackRestart, S10_RegionWithIoInFlightAllTheTimeIsNotTakenForIdleWithoutAStateFile) {
    call(2, R::flush, list({5}));
    cluster->lose_state_files = true;
    cluster->kill(2);
    cluster->restart(2, false);
    cluster->advance(600s);
    expect_dirty({1, 2}, 5);
    // It is known again what the kernel has marked when it has suspended.
    suspend(2);
    cluster->advance(1s);
    EXPECT_FALSE(state(1).sync().test(5));
}

TEST_F(AttackRestart, S12_LoneDaemonDoesNotBelieveAFileThatIsOlderThanAnothersWrites) {
    use(core_log);
    start({1});
    recover_all(1);
    cluster->advance(10s);
    cluster->kill(1);
    // Node 2 comes, marks a region, and dies.
    start({2});
    recover_all(2);
    call(2, R::flush, list({5}));
    cluster->crash(2);
    cluster->restart(1, false);
    EXPECT_FALSE(state(1).clean().test(5));
    EXPECT_LT(integer(1, R::get_sync_count), 70U);
    EXPECT_EQ(in_sync(1, 5), 1U) << "its kernel's hint is not known";
}

TEST_F(AttackRestart, S12_DaemonThatWasAwayWhileAnotherMarkedAndDied) {
    cluster->kill(1);
    cluster->settle();
    call(2, R::flush, list({5}));
    cluster->crash(2);
    cluster->restart(1, false);
    EXPECT_FALSE(state(1).clean().test(5));
    EXPECT_FALSE(state(1).sync().test(5));
}

TEST_F(AttackRestart, S12_DaemonThatWasAwayFindsTheOthersMarkOnTheLogDevice) {
    use(disk_log);
    start({1, 2});
    recover_all(1);
    cluster->advance(3s);
    cluster->kill(1);
    cluster->settle();
    call(2, R::flush, list({5}));
    cluster->crash(2);
    cluster->restart(1, false);
    EXPECT_FALSE(state(1).clean().test(5));
    EXPECT_TRUE(state(1).clean().test(6));
}

TEST_F(AttackRestart, S12_AllDaemonsAreRestartedTogether) {
    call(1, R::flush, list({4}));
    call(2, R::flush, list({5}));
    cluster->lose({1, 2}, ChangeReason::process_down);
    cluster->restart(1, false);
    expect_dirty({1}, 5);
    cluster->restart(2, false);
    expect_dirty({1, 2}, 4);
    expect_dirty({1, 2}, 5);
    EXPECT_TRUE(marked(1, 2, 5));
    EXPECT_TRUE(marked(2, 1, 4));
    expect_equal({1, 2});
}

TEST_F(AttackRestart, S12_AllDaemonsAreRestartedTogetherAndNosyncSpeaksOfTheFirstStart) {
    const std::string table = "71680 clustered-core 1024 nosync";
    use(table);
    start({1, 2});
    call(2, R::flush, list({5}));
    cluster->lose({1, 2}, ChangeReason::process_down);
    cluster->restart(1, false);
    expect_dirty({1}, 5);
    cluster->restart(2, false);
    expect_dirty({1, 2}, 5);
}

TEST_F(AttackRestart, S12_RegionRecoveredWhileItsWritersDaemonWasAwayIsRecoveredAgain) {
    use(disk_log);
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({5}));
    cluster->lose({1, 2}, ChangeReason::process_down);
    // Node 1 is back first; a suspend and resume has its kernel ask for work.
    cluster->restart(1, false);
    suspend(1);
    call(1, R::resume);
    ASSERT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 5}));
    recover(1, 5);
    cluster->advance(3s);
    ASSERT_TRUE(state(1).sync().test(5));
    // Node 2's kernel wrote the region all the time.
    cluster->restart(2, false);
    call(2, R::clear_region, list({5}));
    cluster->advance(10s);
    expect_dirty({1, 2}, 5);
    EXPECT_FALSE(state(1).sync().test(5));
    expect_equal({1, 2});
}

TEST_F(AttackRestart, S12_RegionInRecoveryWhileItsWritersDaemonComesBackIsRecoveredAgain) {
    use(disk_log);
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({5}));
    cluster->lose({1, 2}, ChangeReason::process_down);
    cluster->restart(1, false);
    suspend(1);
    call(1, R::resume);
    ASSERT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 5}));
    cluster->restart(2, false);
    recover(1, 5);
    call(2, R::clear_region, list({5}));
    cluster->advance(10s);
    expect_dirty({1, 2}, 5);
    expect_equal({1, 2});
}

TEST_F(AttackRestart, S12_RegionRecoveredWhileItsWritersDaemonWasAwayAndItsStateFileIsLost) {
    use(disk_log);
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({5}));
    cluster->lose({1, 2}, ChangeReason::process_down);
    cluster->restart(1, false);
    suspend(1);
    call(1, R::resume);
    recover(1, pair(1, R::get_resync_work).region);
    cluster->lose_state_files = true;
    cluster->restart(2, false);
    call(2, R::clear_region, list({5}));
    suspend(2);
    cluster->advance(10s);
    EXPECT_FALSE(state(1).clean().test(5));
    EXPECT_FALSE(state(1).sync().test(5));
}

TEST_F(AttackRestart, S13_LateClearOfTheOldInstanceDoesNotTouchTheNewOnesMark) {
    call(2, R::flush, list({5}));
    cluster->reload(2);
    call(2, R::flush, list({5, 6}));
    const auto late = cluster->call_old(2, R::clear_region, list({5, 6}));
    ASSERT_TRUE(late);
    EXPECT_EQ(late->error, 0);
    cluster->advance(10s);
    for (const RegionNumber region : {RegionNumber{5}, RegionNumber{6}}) {
        EXPECT_TRUE(marked(1, 2, region));
        EXPECT_FALSE(state(1).clean().test(region));
    }
    expect_equal({1, 2});
}

TEST_F(AttackRestart, S13_LateRequestsOfTheOldInstanceAreAnsweredAndNeverCreateItAgain) {
    cluster->reload(2);
    const auto members = state(1).members().size();
    for (const R type : {R::flush, R::presuspend, R::postsuspend}) {
        const auto late = cluster->call_old(2, type);
        ASSERT_TRUE(late) << name_of(type);
        EXPECT_EQ(late->error, 0) << name_of(type) << ": -ESRCH would create it again";
    }
    EXPECT_EQ(cluster->call_old(2, R::dtr)->error, 0);
    EXPECT_EQ(state(1).members().size(), members);
}

TEST_F(AttackRestart, S13_MarksOfTheOldInstanceThatWereNotClearedAreOutOfSync) {
    call(2, R::flush, list({5}));
    cluster->reload(2);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_FALSE(state(1).marks().marked(5));
}

/// Past PRESUSPEND, recovery has stopped on the node, and its queued writes must drain.
struct AttackSuspend : Attack {
    AttackSuspend() { start({1, 2}); }
    /// A write of node 2 to a region that was never in sync is queued.
    void expect_suspend_ends() {
        int asked = 0;
        while (recovering(2, 30).flag == 1)
            ASSERT_LT(++asked, 100) << "the suspend never ends";
        EXPECT_EQ(in_sync(2, 30), 1U);
        EXPECT_EQ(error(2, R::postsuspend), 0);
        EXPECT_EQ(pair(1, R::get_resync_work).flag, 1) << "others go on";
    }
};

TEST_F(AttackSuspend, S14_DaemonRestartedDuringASuspendLetsItEnd) {
    call(2, R::presuspend);
    cluster->kill(2);
    cluster->restart(2, false);
    EXPECT_EQ(recovering(2, 30).flag, 0);
    EXPECT_EQ(pair(2, R::get_resync_work).flag, 0);
    expect_suspend_ends();
}

TEST_F(AttackSuspend, S14_DaemonWithoutAStateFileRestartedDuringASuspendLetsItEnd) {
    call(2, R::presuspend);
    cluster->lose_state_files = true;
    cluster->kill(2);
    cluster->restart(2, false);
    expect_suspend_ends();
}

TEST_F(AttackSuspend, S14_PresuspendWhileTheDaemonWasAwayLetsTheSuspendEnd) {
    cluster->kill(2);
    // PRESUSPEND is lost for good.
    cluster->restart(2, false);
    expect_suspend_ends();
}

TEST_F(AttackSuspend, S14_PresuspendWhileCorosyncIsAwayLetsTheSuspendEnd) {
    cluster->lose_cluster(2);
    cluster->settle();
    EXPECT_EQ(error(2, R::presuspend), 0);
    cluster->regain_cluster(2);
    ASSERT_TRUE(node(2).core->valid());
    EXPECT_EQ(recovering(2, 30).flag, 0);
    expect_suspend_ends();
}

TEST_F(AttackSuspend, S14_GrantOfAKernelThatSuspendsDuringARestartReturns) {
    const auto work = pair(2, R::get_resync_work);
    call(2, R::set_region_sync, RegionSync{work.region, true});
    cluster->advance(1s);
    call(2, R::presuspend);
    cluster->kill(2);
    cluster->restart(2, false);
    EXPECT_TRUE(state(1).grants().empty());
}

}  // namespace
}  // namespace cmirror::mirror_log
