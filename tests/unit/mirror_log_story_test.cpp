// Stories that the simulation found: each once broke the log.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

TEST_F(DiskGroup, flush_is_confirmed_by_a_member_that_joined_while_the_device_was_written) {
    start({1});
    recover_all(1);
    cluster->advance(2s);
    cluster->hold_writes = true;
    const auto flush = cluster->ask(1, R::flush, list({5}));
    cluster->settle();
    EXPECT_FALSE(answered(1, flush));
    // From here on the answer needs the new member's word.
    start({2});
    cluster->release_writes();
    EXPECT_TRUE(answered(1, flush));
}

TEST_F(DiskGroup, clear_after_a_failed_flush_is_not_believed) {
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({5}));
    cluster->device.write_error = EIO;
    ASSERT_EQ(error(2, R::flush, list({6})), -EIO);
    cluster->device.write_error = 0;
    // A leg's write to region 5 failed, and the kernel says nothing of that any more.
    EXPECT_EQ(error(2, R::clear_region, list({5})), 0);
    EXPECT_EQ(error(2, R::flush), 0);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(DiskGroup, clear_after_a_failed_flush_is_not_believed_by_the_next_daemon_either) {
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({5}));
    cluster->device.write_error = EIO;
    ASSERT_EQ(error(2, R::flush, list({6})), -EIO);
    cluster->device.write_error = 0;
    cluster->kill(2);
    cluster->restart(2, false);
    ASSERT_TRUE(state(1).sync().test(5));
    call(2, R::clear_region, list({5}));
    cluster->advance(1s);
    EXPECT_FALSE(state(1).sync().test(5));
}

TEST_F(DiskGroup, write_that_can_wait_is_not_tried_for_ever_without_quorum) {
    start({1, 2});
    recover_all(1);
    cluster->advance(2s);
    call(2, R::flush, list({5}));
    call(2, R::clear_region, list({5}));
    cluster->advance(5500ms);
    cluster->set_quorum(1, false);
    cluster->advance(10s);
    EXPECT_FALSE(cluster->device.clean(5));
    cluster->set_quorum(1, true);
    cluster->advance(5s);
    EXPECT_TRUE(cluster->device.clean(5));
}

TEST_F(DiskGroup, word_given_to_a_server_says_nothing_of_the_device_once_another_member_serves) {
    start({2, 3});
    recover_all(2);
    cluster->advance(2s);
    cluster->hold_writes = true;
    const auto flush = cluster->ask(2, R::flush, list({5}));
    cluster->settle();
    cluster->start(1);
    EXPECT_FALSE(answered(2, flush));
    EXPECT_TRUE(cluster->device.clean(5));
    cluster->release_writes();
    EXPECT_TRUE(answered(2, flush));
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(DiskGroup, flush_after_a_failed_one_is_tried_again_also_when_clears_are_under_way) {
    start({1, 2});
    recover_all(1);
    cluster->advance(2s);
    for (const NodeId id : {1U, 2U}) {
        cluster->device.write_error = EIO;
        EXPECT_EQ(error(id, R::flush, list({id})), -EIO);
        cluster->device.write_error = 0;
        call(id, R::presuspend);
        cluster->ask(id, R::clear_region, list({id}));
        EXPECT_EQ(error(id, R::flush), 0);
    }
}

TEST_F(DiskGroup, server_that_served_before_looks_at_the_device_again_and_writes_before_it_confirms) {
    start({2, 3});
    recover_all(2);
    start({1});
    cluster->advance(2s);
    cluster->hold_writes = true;
    const auto flush = cluster->ask(3, R::flush, list({5}));
    cluster->settle();
    // A mark that only the server had put there.
    cluster->device.bytes[1024 + 4] &= std::byte{0xFE};
    cluster->crash(1);
    cluster->settle();
    EXPECT_FALSE(answered(3, flush));
    cluster->release_writes();
    EXPECT_TRUE(answered(3, flush));
    EXPECT_FALSE(cluster->device.clean(5));
    EXPECT_FALSE(state(3).clean().test(32));
}

TEST_F(DiskGroup, write_that_ends_after_a_member_has_joined_again_says_nothing_of_its_new_ops) {
    start({1, 2});
    recover_all(1);
    for (const RegionNumber region : {20U, 21U, 22U, 23U, 24U, 25U})
        call(2, R::flush, list({region}));
    cluster->advance(2s);
    cluster->hold_writes = true;
    cluster->ask(2, R::flush, list({5}));
    cluster->settle();
    call(2, R::presuspend);
    call(2, R::postsuspend);
    call(2, R::resume);
    const auto flush = cluster->ask(2, R::flush, list({6}));
    cluster->settle();
    // The write of before.
    cluster->release_one_write(1);
    EXPECT_FALSE(answered(2, flush));
    cluster->release_writes();
    EXPECT_TRUE(answered(2, flush));
    EXPECT_FALSE(cluster->device.clean(6));
}

TEST_F(DiskGroup, device_that_cannot_be_read_calls_no_region_clean_although_the_table_says_nosync) {
    use("71680 clustered-disk 7:0 1024 nosync");
    cluster->device.read_error = EIO;
    cluster->start(1);
    EXPECT_EQ(integer(1, R::get_sync_count), 0U);
}

TEST_F(Group, any_message_that_corosync_loses_is_sent_again) {
    // The first messages of a founder, of a joiner and of the server that gives it the state, one after the other.
    for (int lost = 1; lost <= 6; ++lost) {
        use(core_log);
        cluster->add(1);
        cluster->add(2);
        cluster->drop_next[1] = lost;
        cluster->drop_next[2] = lost;
        start({1, 2});
        cluster->advance(60s);
        ASSERT_TRUE(node(1).core->valid()) << lost;
        ASSERT_TRUE(node(2).core->valid()) << lost;
        cluster->drop_next[1] = 1;
        const auto flush = cluster->ask(2, R::flush, list({5}));
        cluster->advance(10s);
        EXPECT_TRUE(answered(2, flush)) << lost;
        expect_equal({1, 2});
    }
}

TEST_F(Group, members_that_do_not_speak_after_a_partition_are_waited_for) {
    start({1, 2, 3});
    recover_all(1);
    cluster->partition({1});
    call(2, R::flush, list({5}));
    for (const NodeId id : {2U, 3U})
        node(id).silent = true;
    cluster->heal();
    cluster->advance(60s);
    EXPECT_FALSE(node(1).core->quorate());
    for (const NodeId id : {2U, 3U})
        node(id).silent = false;
    cluster->settle();
    EXPECT_TRUE(node(1).core->quorate());
    EXPECT_FALSE(state(1).clean().test(5));
    expect_equal({1, 2, 3});
}

TEST_F(Group, quorum_view_that_is_newer_than_the_groups_word_counts_after_a_while) {
    start({1, 2, 3});
    recover_all(1);
    cluster->crash(3);
    // Back in the ring, with a new boot, before the group's members hear that it was gone.
    cluster->add(3);
    cluster->settle();
    const auto flush = cluster->ask(1, R::flush, list({5}));
    cluster->settle();
    EXPECT_FALSE(answered(1, flush));
    cluster->advance(6s);
    EXPECT_TRUE(answered(1, flush));
}

TEST_F(Group, suspend_of_a_kernel_whose_marks_are_unknown_leaves_no_region_dirty_for_good) {
    start({1, 2});
    recover_all(1);
    cluster->lose_state_files = true;
    cluster->kill(2);
    cluster->restart(2, false);
    ASSERT_TRUE(state(1).marks().has_everything(owner(2)));
    call(2, R::presuspend);
    call(2, R::postsuspend);
    // Any of them may be one that the kernel never cleared.
    EXPECT_EQ(state(1).sync().count(), 0U);
    call(2, R::resume);
    recover_all(2);
    EXPECT_TRUE(state(1).clean().all());
}

}  // namespace
}  // namespace cmirror::mirror_log
