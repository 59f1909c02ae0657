// A FLUSH is answered when all marks before it are known to others, and not before (design.md, rules 1 and 8).
#include "tests/unit/attack_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

struct AttackFlush : Attack {
    AttackFlush() {
        start({1, 2});
        recover_all(1);
    }
    /// The daemon of node 2 dies between MARK and FLUSH; its kernel repeats the FLUSH alone.
    void expect_flush_covers_the_lost_mark() {
        ASSERT_TRUE(answered(2, ask(2, R::mark_region, list({5}))));
        cluster->kill(2);
        cluster->settle();
        ASSERT_FALSE(marked(1, 2, 5)) << "the mark went down with its daemon";
        cluster->revive(2, false);
        reconnect(2, core_log);
        EXPECT_EQ(error(2, R::flush), 0);
        EXPECT_TRUE(marked(1, 2, 5));
        EXPECT_FALSE(state(1).clean().test(5));
        expect_equal({1, 2});
    }
};

TEST_F(AttackFlush, S01_MarkIsAnsweredDaemonDiesAndTheRepeatedFlushIsNotTakenForNothingNew) {
    expect_flush_covers_the_lost_mark();
}

TEST_F(AttackFlush, S01_MarkIsAnsweredDaemonDiesAndItsStateFileIsLost) {
    cluster->lose_state_files = true;
    expect_flush_covers_the_lost_mark();
}

TEST_F(AttackFlush, S01_RepeatedFlushWaitsUntilTheOtherMemberHasTheMark) {
    ask(2, R::mark_region, list({5}));
    cluster->kill(2);
    cluster->revive(2, false);
    ask(2, R::ctr, ConstructorText{core_log, true});
    ask(2, R::resume);
    const auto flush = ask(2, R::flush);
    while (!answered(2, flush)) {
        ASSERT_TRUE(cluster->step(1) || cluster->step(2));
        EXPECT_TRUE(!answered(2, flush) || marked(1, 2, 5));
    }
}

TEST_F(AttackFlush, S02_FlushSentAgainWithoutQuorumWaitsAsTheFirstDoes) {
    cluster->set_quorum(2, false);
    call(2, R::mark_region, list({5}));
    const auto first = begin(2, R::flush);
    cluster->advance(15s);
    const auto again = begin(2, R::flush);
    cluster->advance(15s);
    EXPECT_FALSE(answered(2, first));
    EXPECT_FALSE(answered(2, again));
    cluster->set_quorum(2, true);
    cluster->advance(3s);
    EXPECT_TRUE(answered(2, again));
    EXPECT_TRUE(marked(1, 2, 5));
}

TEST_F(AttackFlush, S02_FlushWithItsMarksSentAgainWithoutQuorumWaits) {
    cluster->set_quorum(2, false);
    begin(2, R::flush, list({5}));
    cluster->advance(15s);
    const auto again = begin(2, R::flush, list({5}));
    EXPECT_FALSE(answered(2, again));
}

TEST_F(AttackFlush, S02_FlushSentAgainWhileTheConfirmerHasNoQuorumWaits) {
    cluster->set_quorum(1, false);
    begin(2, R::flush, list({5}));
    cluster->advance(15s);
    const auto again = begin(2, R::flush, list({5}));
    cluster->advance(1s);
    EXPECT_FALSE(answered(2, again));
    cluster->set_quorum(1, true);
    cluster->advance(3s);
    EXPECT_TRUE(answered(2, again));
}

/// The clear of region 5 is on its way when the kernel marks the region again.
struct AttackClear : AttackFlush {
    void expect_mark_is_new() {
        const auto flush = ask(2, R::flush, list({5}));
        EXPECT_FALSE(answered(2, flush)) << "taken for warm";
        cluster->settle();
        EXPECT_TRUE(answered(2, flush));
        cluster->advance(1s);
        EXPECT_TRUE(marked(1, 2, 5));
        EXPECT_FALSE(state(1).clean().test(5));
        expect_equal({1, 2});
    }
};

TEST_F(AttackClear, S03_ClearInFlightThenMarkIsNotTakenForWarm) {
    Settings settings;
    settings.warm_marks_max = 0;
    use(core_log, settings);
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({5}));
    call(2, R::clear_region, list({5}));
    expect_mark_is_new();
}

TEST_F(AttackClear, S03_MarkThatCooledThenMarkIsNotTakenForWarm) {
    call(2, R::flush, list({5}));
    call(2, R::clear_region, list({5}));
    ASSERT_TRUE(answered(2, ask(2, R::flush, list({5})))) << "still warm: costs no round";
    call(2, R::clear_region, list({5}));
    // It has been idle, and its clear leaves the node: nothing of that is delivered yet.
    cluster->now += 6s;
    Effects effects;
    node(2).core->timer(cluster->now, effects);
    expect_mark_is_new();
}

TEST_F(AttackClear, S03_MarkThatMadeRoomThenMarkIsNotTakenForWarm) {
    Settings settings;
    settings.warm_marks_max = 1;
    use(core_log, settings);
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({5, 6}));
    call(2, R::clear_region, list({5}));
    ask(2, R::clear_region, list({6}));
    expect_mark_is_new();
}

TEST_F(AttackClear, S03_WarmMarkGivenUpForARecoveryThenMarkIsNotTakenForWarm) {
    call(2, R::flush, list({5}));
    call(2, R::clear_region, list({5}));
    call(1, R::set_region_sync, RegionSync{5, false});
    const auto work = ask(1, R::get_resync_work);
    // The wish is delivered to node 2, which gives its warm mark up; that is not delivered yet.
    while (cluster->step(2)) {
    }
    const auto flush = ask(2, R::flush, list({5}));
    cluster->settle();
    EXPECT_FALSE(answered(2, flush)) << "node 1 recovers the region";
    EXPECT_EQ(work_of(1, work), (FlagAndRegion{1, 5}));
    recover(1, 5);
    cluster->advance(1s);
    EXPECT_TRUE(answered(2, flush));
    EXPECT_TRUE(marked(1, 2, 5));
}

TEST_F(AttackFlush, S21_FlushAfterLoneClearsIsAnsweredWithoutQuorum) {
    call(2, R::flush, list({5}));
    cluster->set_quorum(2, false);
    EXPECT_EQ(error(2, R::clear_region, list({5})), 0);
    EXPECT_EQ(error(2, R::flush), 0);
}

TEST_F(AttackFlush, S21_SuspendEndsWithoutQuorum) {
    call(2, R::flush, list({5}));
    cluster->set_quorum(2, false);
    call(2, R::clear_region, list({5}));
    EXPECT_EQ(error(2, R::presuspend), 0);
    const auto post = begin(2, R::postsuspend);
    cluster->advance(6s);
    EXPECT_TRUE(answered(2, post));
    EXPECT_EQ(error(2, R::dtr), 0);
}

TEST_F(AttackFlush, S21_SuspendOfACutOffServerWithALogDeviceEnds) {
    use(disk_log);
    start({1, 2, 3});
    recover_all(1);
    call(1, R::flush, list({5}));
    cluster->partition({1});
    EXPECT_EQ(error(1, R::clear_region, list({5})), 0);
    EXPECT_EQ(error(1, R::flush), 0);
    EXPECT_EQ(error(1, R::presuspend), 0);
    const auto post = begin(1, R::postsuspend);
    cluster->advance(6s);
    EXPECT_TRUE(answered(1, post));
    EXPECT_EQ(error(1, R::dtr), 0);
}

}  // namespace
}  // namespace cmirror::mirror_log
