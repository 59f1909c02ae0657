// Partitions, joiners, and servers that die (design.md, rules 1, 2, 6 to 8).
#include "tests/unit/attack_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

struct AttackGroup : Attack {
    AttackGroup() {
        start({1, 2, 3});
        recover_all(1);
    }
};

struct AttackGroupDisk : AttackDisk {
    AttackGroupDisk() {
        start({1, 2, 3});
        recover_all(1);
        cluster->advance(3s);
    }
};

TEST_F(AttackGroup, S11_MajorityDoesNotRecoverWhatTheCutOffKernelStillWrites) {
    call(3, R::flush, list({5}));
    cluster->partition({3});
    // One node of the majority has the region out of sync, and wants to recover it.
    call(1, R::set_region_sync, RegionSync{5, false});
    const auto work = begin(1, R::get_resync_work);
    cluster->advance(6s);
    EXPECT_EQ(work_of(1, work).flag, 0);
    EXPECT_EQ(pair(2, R::get_resync_work).flag, 0);
    cluster->heal();
    cluster->advance(10s);
    expect_equal({1, 2, 3});
    EXPECT_TRUE(marked(1, 3, 5));
    EXPECT_FALSE(state(3).sync().test(5));
}

TEST_F(AttackGroup, S11_CutOffKernelGetsNoWorkAndMakesNoMarkDurable) {
    call(3, R::set_region_sync, RegionSync{5, false});
    cluster->partition({3});
    EXPECT_EQ(pair(3, R::get_resync_work).flag, 0);
    const auto flush = begin(3, R::flush, list({6}));
    cluster->advance(60s);
    EXPECT_FALSE(answered(3, flush));
    EXPECT_TRUE(state(1).clean().test(6));
}

TEST_F(AttackGroup, S11_AfterTheMergeOneStateIsLeftAndEveryoneHasIt) {
    call(3, R::flush, list({5}));
    cluster->partition({3});
    call(1, R::flush, list({6}));
    call(2, R::set_region_sync, RegionSync{7, false});
    call(3, R::clear_region, list({5}));
    const auto waits = begin(3, R::flush, list({8}));
    cluster->heal();
    cluster->advance(20s);
    for (const NodeId id : {1U, 2U, 3U})
        ASSERT_TRUE(node(id).core->valid()) << id;
    expect_equal({1, 2, 3});
    EXPECT_TRUE(answered(3, waits));
    EXPECT_TRUE(marked(3, 1, 6));
    EXPECT_FALSE(state(3).sync().test(7));
    EXPECT_TRUE(marked(1, 3, 8));
}

TEST_F(AttackGroup, S11_AllSidesWithoutQuorumAreNotAllJoinersToEachOther) {
    call(3, R::flush, list({5}));
    for (const NodeId id : {1U, 2U, 3U})
        cluster->set_quorum(id, false);
    cluster->partition({2, 3});
    cluster->heal();
    cluster->advance(20s);
    for (const NodeId id : {1U, 2U, 3U})
        ASSERT_TRUE(node(id).core->valid()) << id;
    expect_equal({1, 2, 3});
    EXPECT_TRUE(marked(1, 3, 5));
    EXPECT_TRUE(state(1).sync().all());
}

TEST_F(AttackGroupDisk, S11_CutOffServerDoesNotWriteTheLogDevice) {
    call(1, R::flush, list({5}));
    call(1, R::clear_region, list({5}));
    // A clean bit waits to be written when the node is cut off.
    call(2, R::flush, list({6}));
    suspend(2);
    cluster->partition({1});
    EXPECT_EQ(error(3, R::flush, list({7})), 0);
    const auto before = cluster->device.bytes;
    Effects effects;
    cluster->now += 10s;
    node(1).core->timer(cluster->now, effects);
    for (const Effect& effect : effects)
        EXPECT_FALSE(std::holds_alternative<WriteEffect>(effect));
    EXPECT_EQ(cluster->device.bytes, before);
    EXPECT_FALSE(cluster->device.clean(7));
}

TEST_F(AttackGroupDisk, S11_CutOffServersMarksAndSuspendWriteNothingEither) {
    cluster->partition({1});
    EXPECT_EQ(error(3, R::flush, list({7})), 0);
    const auto before = cluster->device.writes;
    begin(1, R::flush, list({8}));
    call(1, R::presuspend);
    begin(1, R::postsuspend);
    while (cluster->step(1)) {
    }
    EXPECT_EQ(cluster->device.writes, before);
    EXPECT_FALSE(cluster->device.clean(7));
}

TEST_F(AttackGroupDisk, S11_CutOffServerDoesNotSpinOverWhatItMayNotWrite) {
    call(1, R::set_region_sync, RegionSync{5, false});
    recover(1, pair(1, R::get_resync_work).region);
    cluster->advance(300ms);
    cluster->partition({1});
    cluster->advance(60s);
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(AttackGroup, S18_JoinerWithTheLowestIdIsNeitherServerNorConfirmerBeforeItHasTheState) {
    use(core_log);
    start({2, 3});
    recover_all(2);
    cluster->add(1);
    ask(1, R::ctr, ConstructorText{core_log, false});
    ask(1, R::resume);
    // Node 1 has asked for the state, and gets nothing for a while.
    for (const NodeId id : {2U, 3U})
        cluster->step(id);
    const auto flush = ask(3, R::flush, list({5}));
    for (bool moved = true; moved;) {
        moved = cluster->step(2);
        moved = cluster->step(3) || moved;
    }
    ASSERT_FALSE(node(1).core->valid());
    EXPECT_TRUE(answered(3, flush)) << "node 2 confirms it";
    EXPECT_EQ(state(3).server()->id.node, 2U);
    cluster->settle();
    EXPECT_TRUE(marked(1, 3, 5));
    expect_equal({1, 2, 3});
}

TEST_F(AttackGroup, S18_LastValidMemberDiesDuringTheTransferAndNosyncMakesNothingClean) {
    for (const std::string table : {"71680 clustered-core 1024 nosync", "71680 clustered-core 1024"}) {
        use(table);
        start({3});
        call(3, R::flush, list({5}));
        for (const NodeId id : {1U, 2U}) {
            cluster->add(id);
            ask(id, R::ctr, ConstructorText{table, false});
            ask(id, R::resume);
        }
        // The transfer is under way.
        for (int i = 0; i < 3; ++i)
            for (const NodeId id : {3U, 1U, 2U})
                cluster->step(id);
        ASSERT_FALSE(node(1).core->valid() || node(2).core->valid());
        cluster->crash(3);
        cluster->settle();
        for (const NodeId id : {1U, 2U}) {
            ASSERT_TRUE(node(id).core->valid());
            EXPECT_EQ(integer(id, R::get_sync_count), 0U);
            EXPECT_FALSE(state(id).clean().test(5));
        }
        expect_equal({1, 2});
    }
}

TEST_F(AttackGroupDisk, S19_NewServersMergeChangesEveryonesCopy) {
    // What the device says is dirty and nobody alive has heard of.
    cluster->device.bytes[1024 + 4] &= std::byte{0xFE};
    cluster->crash(1);
    cluster->settle();
    cluster->prove_gone(2, 1);
    for (const NodeId id : {2U, 3U}) {
        EXPECT_FALSE(state(id).clean().test(32));
        EXPECT_FALSE(state(id).sync().test(32));
    }
    expect_equal({2, 3});
}

TEST_F(AttackGroupDisk, S19_NextServerWritesWhatTheMergeFound) {
    cluster->device.bytes[1024 + 4] &= std::byte{0xFE};
    cluster->crash(1);
    cluster->settle();
    cluster->crash(2);
    cluster->settle();
    cluster->advance(3s);
    EXPECT_FALSE(state(3).clean().test(32));
    EXPECT_FALSE(cluster->device.clean(32));
}

/// Node 3 marks, node 1 confirms, both die together; what they said last reached nobody else.
struct AttackTogether : Attack {
    void mark_confirm_and_die(RegionNumber region) {
        const auto flush = ask(3, R::flush, list({region}));
        while (!answered(3, flush))
            ASSERT_TRUE(cluster->step(3) || cluster->step(1));
        node(2).inbox.clear();
        node(4).inbox.clear();
        cluster->lose({1, 3}, ChangeReason::node_down);
        cluster->settle();
    }
};

TEST_F(AttackTogether, S20_OriginatorAndConfirmerDieTogetherAndNothingElseIsLost) {
    start({1, 2, 3, 4});
    recover_all(1);
    call(3, R::flush, list({5}));
    call(1, R::flush, list({6}));
    call(4, R::flush, list({7}));
    mark_confirm_and_die(8);
    for (const NodeId id : {2U, 4U}) {
        EXPECT_TRUE(marked(id, 3, 5));
        EXPECT_TRUE(marked(id, 1, 6));
        EXPECT_TRUE(marked(id, 4, 7));
        EXPECT_EQ(integer(id, R::get_sync_count), 68U) << "two regions whose writers are lost";
    }
    EXPECT_EQ(error(4, R::flush, list({9})), 0) << "the others go on";
    expect_equal({2, 4});
}

TEST_F(AttackTogether, S20_LogDeviceKeepsTheMarkWhoseOriginatorAndConfirmerDieTogether) {
    use(disk_log);
    start({1, 2, 3, 4});
    recover_all(1);
    cluster->advance(3s);
    mark_confirm_and_die(8);
    for (const NodeId id : {2U, 4U})
        EXPECT_FALSE(state(id).clean().test(8));
    EXPECT_EQ(integer(4, R::get_sync_count), 69U);
    expect_equal({2, 4});
}

}  // namespace
}  // namespace cmirror::mirror_log
