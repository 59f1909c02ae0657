// Writers and recovery exclude each other, and nobody waits for ever (design.md, rule 3).
#include "tests/unit/attack_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

struct AttackRecovery : Attack {
    /// Node 1 gets regions until a run of several is out; the region it was given last is not recovered yet.
    RegionNumber grow_run() {
        for (int i = 0; i < 4; ++i)
            recover(1, pair(1, R::get_resync_work).region);
        return pair(1, R::get_resync_work).region;
    }
    /// The last region of node 1's run.
    RegionNumber last_of_run(RegionNumber current) {
        const auto* run = state(1).grants().run_of(current);
        EXPECT_TRUE(run != nullptr && run->end() - 1 > current);
        return run == nullptr ? current : run->end() - 1;
    }
};

TEST_F(AttackRecovery, S08_HintNeverRisesAboveARegionThatAnotherRecovers) {
    start({1, 2});
    ASSERT_EQ(pair(1, R::get_resync_work).region, 0U);
    const RegionNumber other = pair(2, R::get_resync_work).region;
    ASSERT_GT(other, 0U);
    EXPECT_EQ(recovering(1, other), (FlagAndRegion{1, 0})) << "node 1 must not write where node 2 recovers";
    EXPECT_EQ(recovering(2, 0), (FlagAndRegion{1, 0}));
    EXPECT_EQ(recovering(2, 40), (FlagAndRegion{1, 0}));
}

TEST_F(AttackRecovery, S08_TwoThatRecoverRegionsBelowTheirHintsAreNeverOutTogether) {
    start({1, 2});
    recover_all(1);
    for (const NodeId id : {1U, 2U})
        ASSERT_EQ(integer(id, R::get_sync_count), 70U);
    for (const NodeId id : {1U, 2U})
        call(id, R::set_region_sync, RegionSync{id - 1, false});
    ASSERT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 0}));
    const auto second = begin(2, R::get_resync_work);
    EXPECT_FALSE(answered(2, second));
    // Node 1 writes where node 2 would recover: it does not wait for node 2.
    EXPECT_EQ(error(1, R::flush, list({1})), 0);
    EXPECT_TRUE(state(1).grants().run_of(1) == nullptr);
}

TEST_F(AttackRecovery, S08_RegionBelowAHintIsNotOutTogetherWithANeverSyncedOne) {
    start({1, 2});
    for (int i = 0; i < 10; ++i)
        recover(1, pair(1, R::get_resync_work).region);
    cluster->advance(3s);
    ASSERT_GE(recovering(2, 69).region, 10U);
    call(2, R::set_region_sync, RegionSync{3, false});
    ASSERT_EQ(pair(1, R::get_resync_work).flag, 1);
    const auto later = begin(2, R::get_resync_work);
    EXPECT_TRUE(!answered(2, later) || work_of(2, later).region != 3U);
    EXPECT_EQ(state(1).grants().run_of(3), nullptr);
}

TEST_F(AttackRecovery, S08_KernelsWithHintsOfALostStateDoNotRecoverTogether) {
    start({1, 2});
    for (int i = 0; i < 10; ++i)
        recover(1, pair(1, R::get_resync_work).region);
    cluster->advance(3s);
    for (const NodeId id : {1U, 2U})
        ASSERT_GE(recovering(id, 69).region, 10U);
    // All daemons are restarted: the new state knows nothing in sync, the kernels ask about nothing below 10.
    cluster->lose({1, 2}, ChangeReason::process_down);
    cluster->restart(1, false);
    cluster->restart(2, false);
    const auto first = begin(1, R::get_resync_work);
    const auto second = begin(2, R::get_resync_work);
    EXPECT_FALSE(answered(1, first) && answered(2, second) && work_of(1, first).flag == 1 &&
                 work_of(2, second).flag == 1)
        << "each would wait in a FLUSH for the other";
}

TEST_F(AttackRecovery, S09_CopyOfADeadDaemonsKernelKeepsItsRegion) {
    start({1, 2, 3});
    const auto copy = pair(2, R::get_resync_work);
    cluster->kill(2);
    cluster->settle();
    EXPECT_NE(pair(1, R::get_resync_work).region, copy.region);
    const auto flush = begin(3, R::flush, list({copy.region}));
    cluster->advance(60s);
    EXPECT_FALSE(answered(3, flush)) << "the old copy would land on the write";
    cluster->restart(2, false);
    call(2, R::set_region_sync, RegionSync{copy.region, true});
    cluster->advance(1s);
    EXPECT_TRUE(answered(3, flush));
    EXPECT_TRUE(state(1).sync().test(copy.region));
    expect_equal({1, 2, 3});
}

TEST_F(AttackRecovery, S09_CopyOfALostNodeEndsWithTheProofThatItIsGone) {
    start({1, 2, 3});
    const auto copy = pair(2, R::get_resync_work);
    cluster->crash(2);
    cluster->settle();
    const auto flush = begin(3, R::flush, list({copy.region}));
    EXPECT_FALSE(answered(3, flush));
    cluster->prove_gone(1, 2);
    EXPECT_TRUE(answered(3, flush));
    EXPECT_FALSE(state(1).sync().test(copy.region));
}

TEST_F(AttackRecovery, S09_ReportOfACopyCountsOnlyUnderItsGrant) {
    start({1, 2});
    const auto copy = pair(2, R::get_resync_work);
    call(1, R::set_region_sync, RegionSync{copy.region, true});
    cluster->advance(1s);
    EXPECT_FALSE(state(1).sync().test(copy.region));
    EXPECT_EQ(state(1).grants().granted_to(copy.region), owner(2));
}

TEST_F(AttackRecovery, S15_MarkPastPresuspendOfARegionThatAnotherStartsToCopyWaits) {
    start({1, 2});
    const RegionNumber current = grow_run();
    const RegionNumber next = current + 1;
    ASSERT_EQ(state(1).grants().granted_to(next), owner(1));
    call(2, R::presuspend);
    ASSERT_EQ(recovering(2, next).flag, 0) << "or the suspend never ends";
    ASSERT_EQ(in_sync(2, next), 1U);
    const auto flush = ask(2, R::flush, list({next}));
    // Before that is delivered, node 1's kernel starts the region.
    ask(1, R::set_region_sync, RegionSync{current, true});
    const auto work = ask(1, R::get_resync_work);
    ASSERT_EQ(work_of(1, work), (FlagAndRegion{1, next}));
    cluster->settle();
    EXPECT_FALSE(answered(2, flush));
    recover(1, next);
    cluster->advance(1s);
    EXPECT_TRUE(answered(2, flush));
    expect_equal({1, 2});
}

TEST_F(AttackRecovery, S15_MarkPastPresuspendOfARegionNotStartedGetsItAndItIsNotStarted) {
    start({1, 2});
    const RegionNumber current = grow_run();
    const RegionNumber last = last_of_run(current);
    call(2, R::presuspend);
    const auto flush = ask(2, R::flush, list({last}));
    cluster->settle();
    EXPECT_TRUE(answered(2, flush));
    EXPECT_EQ(state(1).grants().run_of(last), nullptr);
    for (RegionNumber region = current; region < 70; ++region) {
        recover(1, region);
        const auto seq = begin(1, R::get_resync_work);
        if (!answered(1, seq)) break;
        EXPECT_NE(work_of(1, seq).region, last);
        if (work_of(1, seq).flag == 0) break;
    }
}

/// Regions are out of sync, and marks keep them.
struct AttackWanted : Attack {
    AttackWanted() {
        start({1, 2, 3});
        recover_all(1);
    }
};

TEST_F(AttackWanted, S16_RegionThatTwoKeepMarkedForEverDoesNotHangTheThird) {
    call(1, R::flush, list({4}));
    call(2, R::flush, list({4}));
    call(1, R::set_region_sync, RegionSync{4, false});
    const auto work = begin(1, R::get_resync_work);
    const auto flush = begin(3, R::flush, list({4}));
    EXPECT_FALSE(answered(1, work));
    EXPECT_FALSE(answered(3, flush));
    cluster->advance(6s);
    EXPECT_EQ(work_of(1, work).flag, 0);
    EXPECT_TRUE(answered(3, flush));
    EXPECT_FALSE(state(1).wanted(4));
    EXPECT_EQ(recovering(3, 4).flag, 0) << "its next writes need not wait either";
}

TEST_F(AttackWanted, S16_LoneAskerIsNotTurnedAwayForAWarmMark) {
    call(2, R::flush, list({4}));
    call(2, R::clear_region, list({4}));
    call(1, R::set_region_sync, RegionSync{4, false});
    ASSERT_TRUE(state(1).marks().marked(4));
    EXPECT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 4}));
}

TEST_F(AttackWanted, S16_LoneAskerIsNotTurnedAwayForAMarkThatIsClearedSoon) {
    call(2, R::flush, list({4}));
    call(1, R::set_region_sync, RegionSync{4, false});
    const auto work = begin(1, R::get_resync_work);
    cluster->advance(2s);
    EXPECT_FALSE(answered(1, work));
    EXPECT_EQ(error(2, R::clear_region, list({4})), 0);
    cluster->advance(1s);
    EXPECT_EQ(work_of(1, work), (FlagAndRegion{1, 4}));
}

TEST_F(AttackWanted, S16_OwnWarmMarkDoesNotKeepTheAskerFromTheRegion) {
    call(1, R::flush, list({4}));
    call(1, R::clear_region, list({4}));
    call(1, R::set_region_sync, RegionSync{4, false});
    EXPECT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 4}));
}

TEST_F(AttackWanted, S16_AskOfANodeThatDiesKeepsNothingWanted) {
    call(2, R::flush, list({4}));
    call(1, R::set_region_sync, RegionSync{4, false});
    begin(1, R::get_resync_work);
    const auto flush = begin(3, R::flush, list({4}));
    EXPECT_FALSE(answered(3, flush));
    cluster->kill(1);
    cluster->settle();
    EXPECT_TRUE(answered(3, flush));
}

}  // namespace
}  // namespace cmirror::mirror_log
