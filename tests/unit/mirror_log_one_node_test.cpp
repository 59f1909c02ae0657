// One node, alone in its group: what its kernel is told while the log is active.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/one_node_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

TEST_F(OneNode, every_region_is_recovered_once_and_the_count_tells) {
    cluster->start(1);
    recover_all();
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
    cluster->advance(1s);
    EXPECT_TRUE(node().core->state()->clean().all());
}

TEST_F(OneNode, asking_again_gives_the_same_region) {
    cluster->start(1);
    EXPECT_EQ(pair(call(R::get_resync_work)), (FlagAndRegion{1, 0}));
    EXPECT_EQ(pair(call(R::get_resync_work)), (FlagAndRegion{1, 0}));
}

TEST_F(OneNode, a_region_that_a_write_waits_for_comes_next) {
    cluster->start(1);
    call(R::get_resync_work);
    EXPECT_EQ(pair(call(R::is_remote_recovering, RegionNumber{40})).flag, 1);
    call(R::set_region_sync, RegionSync{0, true});
    const auto next = pair(call(R::get_resync_work));
    call(R::set_region_sync, RegionSync{next.region, true});
    const auto after = pair(call(R::get_resync_work));
    EXPECT_TRUE(next.region == 40 || after.region == 40);
}

TEST_F(OneNode, hint_is_never_above_the_lowest_region_out_of_sync) {
    cluster->start(1);
    EXPECT_EQ(pair(call(R::is_remote_recovering, RegionNumber{40})).region, 0U);
    call(R::get_resync_work);
    call(R::set_region_sync, RegionSync{0, true});
    call(R::flush);
    cluster->advance(1s);
    EXPECT_EQ(pair(call(R::is_remote_recovering, RegionNumber{41})).region, 1U);
}

TEST_F(OneNode, in_sync_is_0_only_where_the_kernel_holds_writes_back) {
    cluster->start(1);
    EXPECT_EQ(integer(call(R::in_sync, RegionNumber{5})), 0U);
    call(R::presuspend);
    EXPECT_EQ(integer(call(R::in_sync, RegionNumber{5})), 1U);
}

TEST_F(OneNode, after_presuspend_nothing_is_recovered_and_nothing_held_back) {
    cluster->start(1);
    call(R::get_resync_work);
    call(R::presuspend);
    EXPECT_EQ(pair(call(R::is_remote_recovering, RegionNumber{5})).flag, 0);
    EXPECT_EQ(pair(call(R::get_resync_work)).flag, 0);
    EXPECT_TRUE(node().core->state()->grants().empty());
}

TEST_F(OneNode, mark_makes_a_region_dirty_and_flush_says_when_it_is) {
    cluster->start(1);
    recover_all();
    EXPECT_EQ(error(call(R::mark_region, list({3, 4}))), 0);
    EXPECT_EQ(error(call(R::flush)), 0);
    EXPECT_EQ(integer(call(R::is_clean, RegionNumber{3})), 0U);
    EXPECT_EQ(integer(call(R::is_clean, RegionNumber{5})), 1U);
}

TEST_F(OneNode, integrated_flush_marks_its_regions) {
    cluster->start(1);
    recover_all();
    EXPECT_EQ(error(call(R::flush, list({7}))), 0);
    EXPECT_EQ(integer(call(R::is_clean, RegionNumber{7})), 0U);
}

TEST_F(OneNode, cleared_region_stays_warm_and_costs_no_message_to_mark_again) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    call(R::clear_region, list({7}));
    call(R::flush);
    const auto sent = node().sent;
    EXPECT_EQ(error(call(R::mark_region, list({7}))), 0);
    EXPECT_EQ(error(call(R::flush)), 0);
    EXPECT_EQ(node().sent, sent);
}

TEST_F(OneNode, warm_region_becomes_clean_when_idle) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    call(R::clear_region, list({7}));
    cluster->advance(10s);
    EXPECT_EQ(integer(call(R::is_clean, RegionNumber{7})), 1U);
}

TEST_F(OneNode, mark_after_a_clear_that_was_sent_is_a_new_one) {
    Settings settings;
    settings.warm_marks_max = 0;
    use(core_log, settings);
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    cluster->ask(1, R::clear_region, list({7}));
    cluster->ask(1, R::mark_region, list({7}));
    const auto flush = cluster->ask(1, R::flush);
    EXPECT_FALSE(cluster->reply_to(1, flush));
    cluster->settle();
    EXPECT_TRUE(cluster->reply_to(1, flush));
    EXPECT_EQ(integer(call(R::is_clean, RegionNumber{7})), 0U);
}

TEST_F(OneNode, flush_sent_again_waits_for_the_same_marks) {
    cluster->start(1);
    recover_all();
    cluster->ask(1, R::mark_region, list({7}));
    const auto first = cluster->ask(1, R::flush);
    const auto again = cluster->ask(1, R::flush);
    EXPECT_FALSE(cluster->reply_to(1, again));
    cluster->settle();
    EXPECT_TRUE(cluster->reply_to(1, first));
    EXPECT_TRUE(cluster->reply_to(1, again));
}

TEST_F(OneNode, flush_without_quorum_waits_for_it) {
    cluster->start(1);
    recover_all();
    cluster->set_quorum(1, false);
    call(R::mark_region, list({7}));
    const auto flush = cluster->ask(1, R::flush);
    cluster->advance(20s);
    EXPECT_FALSE(cluster->reply_to(1, flush));
    cluster->set_quorum(1, true);
    cluster->advance(1s);
    EXPECT_TRUE(cluster->reply_to(1, flush));
}

TEST_F(OneNode, flush_after_lone_clears_is_answered_without_quorum) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    cluster->set_quorum(1, false);
    call(R::clear_region, list({7}));
    EXPECT_EQ(error(call(R::flush)), 0);
}

TEST_F(OneNode, without_quorum_nothing_is_handed_out) {
    cluster->start(1);
    cluster->set_quorum(1, false);
    EXPECT_EQ(pair(call(R::get_resync_work)).flag, 0);
}

TEST_F(OneNode, failed_leg_makes_the_region_out_of_sync_and_dirty) {
    cluster->start(1);
    recover_all();
    EXPECT_EQ(error(call(R::set_region_sync, RegionSync{9, false})), 0);
    EXPECT_EQ(integer(call(R::get_sync_count)), 69U);
    EXPECT_EQ(integer(call(R::is_clean, RegionNumber{9})), 0U);
}

TEST_F(OneNode, in_sync_stays_1_after_a_full_resync_when_a_leg_fails) {
    cluster->start(1);
    recover_all();
    call(R::get_sync_count);
    call(R::set_region_sync, RegionSync{9, false});
    EXPECT_EQ(integer(call(R::in_sync, RegionNumber{9})), 1U);
}

TEST_F(OneNode, region_whose_recovery_failed_is_not_tried_again_before_a_resume) {
    cluster->start(1);
    call(R::get_resync_work);
    call(R::set_region_sync, RegionSync{0, false});
    EXPECT_EQ(pair(call(R::get_resync_work)).region, 1U);
    call(R::presuspend);
    call(R::postsuspend);
    call(R::resume);
    EXPECT_EQ(pair(call(R::get_resync_work)).region, 0U);
}

TEST_F(OneNode, in_sync_of_a_write_that_was_let_pass_stays_1) {
    cluster->start(1);
    recover_all();
    EXPECT_EQ(pair(call(R::is_remote_recovering, RegionNumber{9})).flag, 0);
    call(R::set_region_sync, RegionSync{9, false});
    EXPECT_EQ(integer(call(R::in_sync, RegionNumber{9})), 1U);
}

TEST_F(OneNode, region_out_of_range_is_refused_and_changes_nothing) {
    cluster->start(1);
    recover_all();
    const auto digest = node().core->state()->digest();
    EXPECT_EQ(error(call(R::mark_region, list({70}))), -EINVAL);
    EXPECT_EQ(error(call(R::mark_region, list({3, 70}))), -EINVAL);
    EXPECT_EQ(error(call(R::in_sync, RegionNumber{70})), -EINVAL);
    call(R::flush);
    EXPECT_EQ(node().core->state()->digest(), digest);
    EXPECT_EQ(node().core->status().bad_requests, 3U);
}

TEST_F(OneNode, op_that_corosync_loses_is_sent_again) {
    cluster->start(1);
    recover_all();
    cluster->drop_next[1] = 1;
    call(R::mark_region, list({5}));
    const auto flush = cluster->ask(1, R::flush);
    cluster->settle();
    EXPECT_FALSE(cluster->reply_to(1, flush));
    cluster->advance(3s);
    EXPECT_TRUE(cluster->reply_to(1, flush));
}

TEST_F(OneNodeDisk, flush_waits_until_its_mark_is_on_the_device) {
    cluster->start(1);
    recover_all();
    cluster->advance(2s);
    ASSERT_TRUE(cluster->device.clean(7));
    cluster->hold_writes = true;
    const auto flush = cluster->ask(1, R::flush, list({7}));
    cluster->settle();
    EXPECT_FALSE(cluster->reply_to(1, flush));
    cluster->release_writes();
    EXPECT_TRUE(cluster->reply_to(1, flush));
    EXPECT_FALSE(cluster->device.clean(7));
}

TEST_F(OneNodeDisk, flushes_during_a_write_share_the_next_one) {
    cluster->start(1);
    recover_all();
    cluster->advance(2s);
    const auto writes = cluster->device.writes;
    cluster->hold_writes = true;
    for (RegionNumber region = 0; region < 10; ++region) {
        cluster->ask(1, R::flush, list({region}));
        cluster->settle();
    }
    cluster->release_writes();
    EXPECT_EQ(cluster->device.writes, writes + 2);
}

TEST_F(OneNodeDisk, flush_fails_when_the_device_does_and_the_next_one_tries_again) {
    cluster->start(1);
    recover_all();
    cluster->advance(2s);
    cluster->device.write_error = EIO;
    EXPECT_EQ(error(call(R::flush, list({7}))), -EIO);
    EXPECT_EQ(call(R::status_info)->payload, ReplyPayload{std::string("3 clustered-disk 7:0 D")});
    cluster->device.write_error = 0;
    EXPECT_EQ(error(call(R::flush)), 0);
    EXPECT_FALSE(cluster->device.clean(7));
    EXPECT_EQ(call(R::status_info)->payload, ReplyPayload{std::string("3 clustered-disk 7:0 A")});
}

TEST_F(OneNodeDisk, region_marked_at_a_crash_is_recovered) {
    cluster->start(1);
    recover_all();
    cluster->advance(2s);
    call(R::flush, list({7}));
    cluster->crash(1);
    cluster->restart(1, true);
    EXPECT_EQ(pair(call(R::get_resync_work)), (FlagAndRegion{1, 7}));
}

TEST_F(OneNodeDisk, status_lines_are_the_fields) {
    cluster->start(1);
    EXPECT_EQ(call(R::status_info)->payload, ReplyPayload{std::string("3 clustered-disk 7:0 A")});
    EXPECT_EQ(call(R::status_table)->payload, ReplyPayload{std::string("clustered-disk 7:0 1024 block_on_error ")});
}

}  // namespace
}  // namespace cmirror::mirror_log
