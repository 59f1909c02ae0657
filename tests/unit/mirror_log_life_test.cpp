// One node, alone in its group: construction, suspends, restarts and the end of a log.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "tests/unit/one_node_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

TEST_F(OneNode, constructor_of_a_core_log_is_answered_without_payload) {
    cluster->add(1);
    EXPECT_EQ(call(R::ctr, ConstructorText{core_log, false})->payload, ReplyPayload{});
}

TEST_F(OneNode, bad_constructor_is_refused_and_ends_the_log) {
    cluster->add(1);
    EXPECT_EQ(error(call(R::ctr, ConstructorText{"71680 clustered-tape 1024", false})), -EINVAL);
    EXPECT_TRUE(node().core->ended());
}

TEST_F(OneNodeDisk, first_constructor_is_told_the_device_name) {
    cluster->add(1);
    EXPECT_EQ(call(R::ctr, ConstructorText{disk_log, false})->payload, ReplyPayload{std::string("7:0\0", 4)});
}

TEST_F(OneNodeDisk, reconnect_constructor_is_answered_without_payload) {
    cluster->add(1);
    EXPECT_EQ(call(R::ctr, ConstructorText{disk_log, true})->payload, ReplyPayload{});
}

TEST_F(OneNodeDisk, constructor_without_its_device_is_refused_with_the_reason) {
    cluster->device.open_error = ENXIO;
    cluster->add(1);
    EXPECT_EQ(error(call(R::ctr, ConstructorText{disk_log, false})), -ENXIO);
}

TEST_F(OneNodeDisk, requests_behind_a_device_that_does_not_open_are_repeated_by_the_kernel) {
    MirrorLogCore& core = *cluster->add(1).core;
    Effects effects;
    const auto ask = [&](std::uint32_t seq, R type, RequestPayload payload = {}) {
        core.request({seq, type, 2, (*cluster)[1].luid, *Uuid::from_text("LVM-test"), std::move(payload)}, cluster->now,
                     effects);
    };
    ask(1, R::ctr, ConstructorText{disk_log, true});
    // Of another task of the kernel: a RESUME that fails would fail the request that waits behind it.
    ask(2, R::resume);
    ask(3, R::in_sync, RegionNumber{5});
    core.device_opened(Failure<DeviceError>(DeviceError{ENODEV, "away"}), cluster->now, effects);
    std::map<std::uint32_t, int> errors;
    for (const Effect& effect : effects)
        if (const auto* reply = std::get_if<KernelReply>(&effect)) errors[reply->seq] = reply->error;
    EXPECT_EQ(errors, (std::map<std::uint32_t, int>{{1, -ENODEV}, {2, 0}, {3, -ESRCH}}));
}

TEST_F(OneNode, pending_log_answers_what_needs_no_state) {
    cluster->add(1);
    call(R::ctr, ConstructorText{core_log, false});
    EXPECT_EQ(integer(call(R::get_region_size)), 1024U);
    EXPECT_EQ(integer(call(R::get_sync_count)), 0U);
    EXPECT_EQ(call(R::status_info)->payload, ReplyPayload{std::string("1 clustered-core")});
}

TEST_F(OneNode, pending_log_makes_the_kernel_reconnect_before_io) {
    cluster->add(1);
    call(R::ctr, ConstructorText{core_log, false});
    EXPECT_EQ(error(call(R::in_sync, RegionNumber{0})), -ESRCH);
}

TEST_F(OneNode, constructor_and_resume_of_a_live_log_succeed) {
    cluster->start(1);
    EXPECT_EQ(error(call(R::ctr, ConstructorText{core_log, true})), 0);
    EXPECT_EQ(error(call(R::resume)), 0);
}

TEST_F(OneNode, reconnect_of_a_suspended_log_does_not_resume_it) {
    cluster->start(1);
    recover_all();
    call(R::presuspend);
    call(R::postsuspend);
    EXPECT_EQ(error(call(R::ctr, ConstructorText{core_log, true})), 0);
    EXPECT_EQ(error(call(R::resume)), 0);
    EXPECT_EQ(node().core->life(), LifeState::suspended);
    EXPECT_FALSE(node().joined);
}

TEST_F(OneNode, what_only_a_resumed_log_is_asked_shows_that_the_resume_was_a_real_one) {
    cluster->start(1);
    recover_all();
    call(R::presuspend);
    call(R::postsuspend);
    // The RESUME of this reconnect is lost.
    call(R::ctr, ConstructorText{core_log, true});
    call(R::resume);
    EXPECT_EQ(error(call(R::mark_region, list({5}))), 0);
    EXPECT_EQ(error(call(R::flush)), 0);
    EXPECT_EQ(node().core->life(), LifeState::active);
    EXPECT_TRUE(node().core->state()->marks().marked(5));
}

TEST_F(OneNode, resume_that_was_lost_is_made_up_for_by_what_follows_it) {
    cluster->start(1);
    recover_all();
    call(R::presuspend);
    call(R::postsuspend);
    // What the end of a write may still send says nothing.
    call(R::clear_region, list({5}));
    call(R::flush);
    EXPECT_EQ(node().core->life(), LifeState::suspended);
    EXPECT_EQ(integer(call(R::in_sync, RegionNumber{5})), 1U);
    EXPECT_EQ(node().core->life(), LifeState::active);
}

TEST_F(OneNode, superseded_log_leaves_as_after_its_postsuspend) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({5}));
    cluster->supersede(1);
    cluster->advance(2s);
    EXPECT_EQ(node().core->life(), LifeState::suspended);
    EXPECT_FALSE(node().joined);
    EXPECT_FALSE(node().core->state()->sync().test(5));
    EXPECT_EQ(error(call(R::flush)), 0);
}

TEST_F(OneNode, log_that_was_superseded_wrongly_says_that_it_is_in_use) {
    cluster->start(1);
    recover_all();
    cluster->supersede(1);
    cluster->advance(2s);
    Effects effects;
    node().core->request({1000, R::in_sync, 2, node().luid, *Uuid::from_text("LVM-test"), RegionNumber{5}},
                         cluster->now, effects);
    const auto joins = [](const Effect& effect) {
        const auto* join = std::get_if<JoinEffect>(&effect);
        return join != nullptr && join->in_use;
    };
    EXPECT_TRUE(std::any_of(effects.begin(), effects.end(), joins));
}

TEST_F(OneNode, reconnect_of_a_log_that_is_in_use_leaves_its_next_resume_a_real_one) {
    cluster->start(1);
    recover_all();
    call(R::ctr, ConstructorText{core_log, true});
    call(R::resume);
    call(R::presuspend);
    call(R::postsuspend);
    call(R::resume);
    EXPECT_EQ(node().core->life(), LifeState::active);
}

TEST_F(OneNode, reconnect_past_presuspend_does_not_resume_the_log) {
    cluster->start(1);
    call(R::presuspend);
    call(R::ctr, ConstructorText{core_log, true});
    EXPECT_EQ(error(call(R::resume)), 0);
    // The kernel repeats what is not answered in time.
    EXPECT_EQ(error(call(R::resume)), 0);
    // A write to the primary leg alone would leave a region that the kernel caches as not in sync.
    EXPECT_EQ(integer(call(R::in_sync, RegionNumber{5})), 1U);
    EXPECT_EQ(node().core->life(), LifeState::presuspended);
}

TEST_F(OneNode, question_for_work_shows_that_a_resume_past_presuspend_was_a_real_one) {
    cluster->start(1);
    call(R::presuspend);
    EXPECT_EQ(pair(call(R::get_resync_work)).flag, 0);
    // The RESUME of this reconnect is lost, and so is the POSTSUSPEND.
    call(R::ctr, ConstructorText{core_log, true});
    call(R::resume);
    EXPECT_EQ(pair(call(R::get_resync_work)).flag, 1);
    EXPECT_EQ(node().core->life(), LifeState::active);
}

TEST_F(OneNode, suspend_and_resume_keep_what_is_in_sync) {
    cluster->start(1);
    recover_all();
    call(R::presuspend);
    call(R::postsuspend);
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
    call(R::resume);
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
    EXPECT_EQ(integer(call(R::is_clean, RegionNumber{5})), 1U);
}

TEST_F(OneNode, mark_that_was_not_cleared_at_suspend_becomes_out_of_sync) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    call(R::presuspend);
    call(R::postsuspend);
    call(R::resume);
    EXPECT_EQ(pair(call(R::get_resync_work)), (FlagAndRegion{1, 7}));
}

TEST_F(OneNode, warm_marks_at_suspend_are_dropped) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    call(R::clear_region, list({7}));
    call(R::presuspend);
    call(R::postsuspend);
    call(R::resume);
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
}

TEST_F(OneNode, late_requests_after_postsuspend_succeed_and_touch_nothing) {
    cluster->start(1);
    recover_all();
    call(R::presuspend);
    call(R::postsuspend);
    const auto sent = node().sent;
    EXPECT_EQ(error(call(R::clear_region, list({7}))), 0);
    EXPECT_EQ(error(call(R::flush)), 0);
    EXPECT_EQ(node().sent, sent);
}

TEST_F(OneNode, destroyed_log_leaves_and_ends) {
    cluster->start(1);
    EXPECT_EQ(error(call(R::dtr)), 0);
    EXPECT_TRUE(node().core->ended());
    EXPECT_FALSE(node().joined);
}

TEST_F(OneNode, nosync_log_starts_in_sync) {
    use("71680 clustered-core 1024 nosync");
    cluster->start(1);
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
}

TEST_F(OneNode, restarted_daemon_answers_in_sync_1_until_it_knows_the_hint) {
    cluster->start(1);
    recover_all();
    cluster->kill(1);
    cluster->restart(1, false);
    EXPECT_EQ(integer(call(R::in_sync, RegionNumber{5})), 1U);
    EXPECT_EQ(error(call(R::mark_region, list({5}))), 0);
    EXPECT_EQ(error(call(R::flush)), 0);
}

TEST_F(OneNode, restarted_daemon_without_a_state_file_counts_its_kernel_as_having_marked_everything) {
    cluster->start(1);
    recover_all();
    cluster->lose_state_files = true;
    cluster->kill(1);
    cluster->restart(1, false);
    EXPECT_TRUE(node().core->state()->marks().has_everything({1, node().luid}));
}

TEST_F(OneNodeDisk, first_start_writes_header_and_map) {
    cluster->start(1);
    cluster->advance(2s);
    const DeviceImage image = cluster->device.image(70);
    EXPECT_TRUE(image.is_log);
    EXPECT_EQ(image.region_count, 70U);
    EXPECT_EQ(image.words, (std::vector<std::uint32_t>{0, 0, 0}));
}

TEST_F(OneNodeDisk, resumed_log_takes_over_what_the_device_says) {
    cluster->start(1);
    recover_all();
    call(R::presuspend);
    call(R::postsuspend);
    cluster->crash(1);
    cluster->restart(1, true);
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
}

TEST_F(OneNodeDisk, grown_mirror_has_its_new_regions_out_of_sync) {
    cluster->start(1);
    recover_all();
    cluster->advance(2s);
    cluster->crash(1);
    const auto device = cluster->device;
    use("72704 clustered-disk 7:0 1024");
    cluster->device = device;
    cluster->start(1);
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
    EXPECT_EQ(pair(call(R::get_resync_work)), (FlagAndRegion{1, 70}));
}

}  // namespace
}  // namespace cmirror::mirror_log
