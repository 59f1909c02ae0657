// IN_SYNC answers 0 only where the kernel holds its writes back, and a kernel that cached "not in sync" is not helped
// by another's recovery (design.md, rules 3 to 5).
#include "tests/unit/attack_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

struct AttackHint : Attack {
    AttackHint() {
        start({1, 2, 3});
        recover_all(1);
    }
    /// Node 2 writes the region and is gone for good; the daemon of node 1 may be away.
    void lose_writer_of(RegionNumber region) {
        call(2, R::flush, list({region}));
        cluster->crash(2);
        cluster->settle();
        cluster->prove_gone(3, 2);
        ASSERT_TRUE(state(3).fell_out_later(region));
    }
    /// The kernel of node 1 learns that all is in sync: it never asks again whether something is recovered.
    void tell_all_in_sync() { ASSERT_EQ(integer(1, R::get_sync_count), 70U); }
};

TEST_F(AttackHint, S04_RestartedDaemonDoesNotForgetThatItsKernelsHintIsAtTheEnd) {
    tell_all_in_sync();
    cluster->kill(1);
    cluster->restart(1, false);
    lose_writer_of(5);
    EXPECT_EQ(in_sync(1, 5), 1U);
}

TEST_F(AttackHint, S04_RestartedDaemonWithoutAStateFile) {
    tell_all_in_sync();
    cluster->lose_state_files = true;
    cluster->kill(1);
    cluster->restart(1, false);
    lose_writer_of(5);
    EXPECT_EQ(in_sync(1, 5), 1U);
}

TEST_F(AttackHint, S04_CorosyncWentAwayAndCameBack) {
    tell_all_in_sync();
    cluster->lose_cluster(1);
    cluster->settle();
    cluster->regain_cluster(1);
    lose_writer_of(5);
    EXPECT_EQ(in_sync(1, 5), 1U);
}

TEST_F(AttackHint, S04_WriterDiesWhileTheDaemonIsAway) {
    tell_all_in_sync();
    cluster->kill(1);
    lose_writer_of(5);
    cluster->restart(1, false);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_EQ(in_sync(1, 5), 1U);
}

TEST_F(AttackHint, S04_CountThatIsToldWhileTheGroupIsJoinedIsRememberedOrNotAtTheEnd) {
    use("71680 clustered-core 1024 nosync");
    start({1});
    cluster->add(2);
    call(1, R::set_region_sync, RegionSync{5, false});
    ask(2, R::ctr, ConstructorText{"71680 clustered-core 1024 nosync", false});
    ask(2, R::resume);
    const auto count = ask(2, R::get_sync_count);
    ASSERT_TRUE(answered(2, count));
    const bool hint_at_end = std::get<std::uint64_t>(cluster->reply_to(2, count)->payload) >= 70;
    cluster->settle();
    ASSERT_FALSE(state(2).sync().test(5));
    EXPECT_TRUE(!hint_at_end || in_sync(2, 5) == 1U);
    EXPECT_FALSE(hint_at_end) << "nothing is known yet";
}

TEST_F(AttackHint, S05_WriteThatPassedIsRemoteRecoveringIsNeverSentToThePrimaryAlone) {
    ASSERT_EQ(recovering(1, 5).flag, 0);
    lose_writer_of(5);
    EXPECT_EQ(in_sync(1, 5), 1U);
    EXPECT_EQ(in_sync(1, 5), 1U);
}

TEST_F(AttackHint, S05_LossOfTheWriterBetweenTheTwoQuestions) {
    ASSERT_EQ(recovering(1, 5).flag, 0);
    EXPECT_EQ(in_sync(1, 5), 1U);
    lose_writer_of(5);
    EXPECT_EQ(in_sync(1, 5), 1U);
}

TEST_F(AttackHint, S05_RecoveryThatEndsBetweenTheTwoQuestions) {
    lose_writer_of(5);
    ASSERT_EQ(recovering(1, 5).flag, 0) << "nobody recovers it: writes go to all legs, marked";
    EXPECT_EQ(in_sync(1, 5), 1U);
    recover(3, pair(3, R::get_resync_work).region);
    cluster->advance(1s);
    EXPECT_EQ(in_sync(1, 5), 1U);
}

TEST_F(AttackHint, S05_AnotherWritesQuestionBetweenTheTwo) {
    lose_writer_of(5);
    ASSERT_EQ(recovering(1, 5).flag, 0);
    EXPECT_EQ(in_sync(1, 5), 1U);
    ASSERT_EQ(pair(3, R::get_resync_work), (FlagAndRegion{1, 5}));
    // A second write to the region in the same pass of the kernel's worker; the first one has gone past.
    EXPECT_EQ(recovering(1, 5).flag, 1);
    EXPECT_EQ(in_sync(1, 5), 1U);
}

TEST_F(AttackHint, S05_AnotherWritesQuestionJustAfterTheDaemonWasRestarted) {
    ASSERT_EQ(recovering(1, 5).flag, 0);
    cluster->kill(1);
    cluster->settle();
    lose_writer_of(5);
    cluster->restart(1, false);
    EXPECT_EQ(in_sync(1, 5), 1U);
    ASSERT_EQ(pair(3, R::get_resync_work), (FlagAndRegion{1, 5}));
    EXPECT_EQ(recovering(1, 5).flag, 1);
    EXPECT_EQ(in_sync(1, 5), 1U) << "the first write's second question";
}

TEST_F(AttackHint, S06_RegionWhoseLegFailedIsNotRecoveredByAnotherAfterItsKernelsSuspend) {
    call(2, R::set_region_sync, RegionSync{4, false});
    suspend(2);
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0);
    call(2, R::resume);
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0);
    EXPECT_EQ(pair(2, R::get_resync_work), (FlagAndRegion{1, 4}));
    recover(2, 4);
    cluster->advance(1s);
    EXPECT_TRUE(state(1).sync().all());
}

TEST_F(AttackHint, S06_RegionWhoseLegFailedIsFreeWhenTheTableWasReloaded) {
    call(2, R::set_region_sync, RegionSync{4, false});
    cluster->reload(2);
    EXPECT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 4}));
}

TEST_F(AttackHint, S06_TwoKernelsThatCachedTheRegionKeepItFromBoth) {
    call(2, R::set_region_sync, RegionSync{4, false});
    call(3, R::set_region_sync, RegionSync{4, false});
    for (const NodeId id : {1U, 2U, 3U})
        EXPECT_EQ(pair(id, R::get_resync_work).flag, 0) << id;
    cluster->reload(3);
    EXPECT_EQ(pair(2, R::get_resync_work), (FlagAndRegion{1, 4}));
}

TEST_F(AttackHint, S07_MarksOfAKernelThatLeavesAreOutOfSync) {
    call(2, R::flush, list({5}));
    suspend(2);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_FALSE(state(1).clean().test(5));
    expect_equal({1, 3});
}

TEST_F(AttackHint, S07_WarmMarksOfAKernelThatLeavesAreDropped) {
    call(2, R::flush, list({5}));
    call(2, R::clear_region, list({5}));
    suspend(2);
    EXPECT_TRUE(state(1).sync().test(5));
    EXPECT_TRUE(state(1).clean().test(5));
}

TEST_F(AttackHint, S07_MarksOfAKernelThatIsDestroyedWithoutASuspendAreOutOfSync) {
    call(2, R::flush, list({5}));
    call(2, R::dtr);
    EXPECT_FALSE(state(1).sync().test(5));
}

TEST_F(AttackHint, S07_MarksThatLeaveAfterTheDaemonWasRestartedAreOutOfSync) {
    call(2, R::flush, list({5}));
    cluster->kill(2);
    cluster->restart(2, false);
    suspend(2);
    EXPECT_FALSE(state(1).sync().test(5));
}

TEST_F(AttackHint, S07_MarksThatLeaveWhileCorosyncIsAwayAreNotTakenForCleared) {
    call(2, R::flush, list({5}));
    cluster->lose_cluster(2);
    cluster->settle();
    suspend(2);
    EXPECT_FALSE(state(1).clean().test(5));
    call(2, R::resume);
    cluster->regain_cluster(2);
    cluster->advance(1s);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_FALSE(state(1).clean().test(5));
}

TEST_F(AttackHint, S07_KernelThatLeftWithMarksHasCachedThemAsNotInSync) {
    call(2, R::flush, list({5}));
    suspend(2);
    recover(1, pair(1, R::get_resync_work).region);
    cluster->advance(1s);
    ASSERT_TRUE(state(1).sync().all());
    // Its writes to the region still go to the primary leg alone, until it has recovered the region itself.
    call(2, R::resume);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0);
    EXPECT_EQ(pair(2, R::get_resync_work), (FlagAndRegion{1, 5}));
}

TEST_F(AttackHint, S07_LateClearAfterTheSuspendLeavesNothingCached) {
    call(2, R::flush, list({5}));
    suspend(2);
    EXPECT_EQ(error(2, R::clear_region, list({5})), 0);
    recover(1, pair(1, R::get_resync_work).region);
    cluster->advance(1s);
    call(2, R::resume);
    EXPECT_TRUE(state(1).sync().all());
}

TEST_F(AttackHint, S07_LoneNodesMarksAreOutOfSyncAfterItsSuspend) {
    use(core_log);
    start({1});
    recover_all(1);
    call(1, R::flush, list({5}));
    suspend(1);
    call(1, R::resume);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 5}));
}

}  // namespace
}  // namespace cmirror::mirror_log
