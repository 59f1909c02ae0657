// A daemon that dies and the state file it leaves (design.md, rule 10).
#include <gtest/gtest.h>

#include "messages/wire_state_file.hpp"
#include "tests/unit/one_node_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

struct Kept : OneNode {
    const LogState& state() { return *node().core->state(); }
    Owner owner() { return {1, node().luid}; }
    void restart_daemon() {
        cluster->kill(1);
        cluster->restart(1, false);
    }
    KeptState file() {
        auto kept = unpack_state_file(node().state_file);
        EXPECT_TRUE(kept);
        return kept.value();
    }
    bool live(RegionNumber region) { return (file().live[region / 64] >> (region % 64) & 1U) != 0; }
};

TEST_F(Kept, idle_mirror_stays_in_sync_and_clean) {
    cluster->start(1);
    recover_all();
    cluster->advance(10s);
    restart_daemon();
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
    EXPECT_EQ(state().clean().count(), 70U);
    EXPECT_EQ(state().marks().count(), 0U);
}

TEST_F(Kept, daemon_after_daemon_keeps_the_state) {
    cluster->start(1);
    recover_all();
    for (int i = 0; i < 3; ++i) {
        call(R::flush, list({7}));
        restart_daemon();
        call(R::flush, list({8}));
        call(R::clear_region, list({7}));
        call(R::clear_region, list({8}));
        cluster->advance(10s);
        EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
        EXPECT_EQ(state().marks().count(), 0U);
    }
}

TEST_F(Kept, file_waits_for_the_ring_to_be_known) {
    cluster->start(1);
    recover_all();
    cluster->kill(1);
    cluster->views_come_late = true;
    cluster->restart(1, false);
    const auto count = cluster->ask(1, R::in_sync, RegionNumber{5});
    EXPECT_FALSE(cluster->reply_to(1, count));
    cluster->set_quorum(1, true);
    cluster->settle();
    EXPECT_TRUE(cluster->reply_to(1, count));
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
}

// The kernel's request behind that RESUME has failed: an IN_SYNC counts as 0, and a write reaches the primary leg
// alone.
TEST_F(Kept, file_is_not_believed_when_the_resume_of_a_reconnect_was_lost_with_its_daemon) {
    cluster->start(1);
    recover_all();
    cluster->kill(1);
    cluster->revive(1, false);
    call(R::ctr, ConstructorText{core_log, true});
    restart_daemon();
    EXPECT_TRUE(state().marks().has_everything(owner()));
}

// Its marks are those that were made since.
TEST_F(Kept, file_of_a_daemon_that_had_none_is_not_believed) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    cluster->lose_state_files = true;
    restart_daemon();
    cluster->lose_state_files = false;
    restart_daemon();
    EXPECT_TRUE(state().marks().has_everything(owner()));
}

TEST_F(Kept, file_outlives_a_daemon_that_dies_before_it_has_the_state) {
    cluster->start(1);
    recover_all();
    cluster->kill(1);
    cluster->views_come_late = true;
    cluster->restart(1, false);
    cluster->views_come_late = false;
    restart_daemon();
    EXPECT_EQ(integer(call(R::get_sync_count)), 70U);
    EXPECT_EQ(state().marks().count(), 0U);
}

TEST_F(Kept, mark_is_in_the_file_before_it_is_answered) {
    cluster->start(1);
    recover_all();
    // Nothing is delivered: the answer comes from the daemon alone.
    const auto mark = cluster->ask(1, R::mark_region, list({7, 64}));
    ASSERT_TRUE(cluster->reply_to(1, mark));
    EXPECT_TRUE(live(7));
    EXPECT_TRUE(live(64));
    EXPECT_FALSE(live(8));
}

TEST_F(Kept, marks_are_taken_over_and_confirmed_anew) {
    cluster->start(1);
    recover_all();
    cluster->ask(1, R::mark_region, list({7}));
    restart_daemon();
    EXPECT_TRUE(state().marks().marked_by(owner(), 7));
    EXPECT_FALSE(state().clean().test(7));
    EXPECT_TRUE(state().sync().test(7));
    EXPECT_EQ(error(call(R::flush)), 0);
}

TEST_F(Kept, warm_marks_end_with_the_daemon) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    call(R::clear_region, list({7}));
    ASSERT_TRUE(state().marks().marked_by(owner(), 7));
    restart_daemon();
    EXPECT_FALSE(state().marks().marked_by(owner(), 7));
    EXPECT_TRUE(state().clean().test(7));
}

TEST_F(Kept, warm_mark_that_is_marked_again_is_in_the_file) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    call(R::clear_region, list({7}));
    EXPECT_FALSE(live(7));
    call(R::mark_region, list({7}));
    EXPECT_TRUE(live(7));
}

TEST_F(Kept, resynchronisation_goes_on_where_it_was) {
    cluster->start(1);
    for (int i = 0; i < 20; ++i) {
        const auto work = pair(call(R::get_resync_work));
        call(R::set_region_sync, RegionSync{work.region, true});
    }
    const auto work = pair(call(R::get_resync_work));
    cluster->advance(1s);
    restart_daemon();
    EXPECT_EQ(integer(call(R::get_sync_count)), 20U);
    EXPECT_EQ(pair(call(R::get_resync_work)), work) << "the kernel still copies it";
    call(R::set_region_sync, RegionSync{work.region, true});
    cluster->advance(1s);
    EXPECT_EQ(integer(call(R::get_sync_count)), 21U);
}

TEST_F(Kept, suspend_goes_on_where_it_was) {
    cluster->start(1);
    call(R::presuspend);
    restart_daemon();
    EXPECT_EQ(node().core->life(), LifeState::presuspended);
    EXPECT_EQ(pair(call(R::is_remote_recovering, RegionNumber{3})).flag, 0);
    EXPECT_EQ(error(call(R::postsuspend)), 0);
}

TEST_F(Kept, lost_suspend_ends_without_a_file) {
    cluster->start(1);
    // Keeps the state: no region was ever in sync.
    cluster->start(2);
    call(R::presuspend);
    cluster->lose_state_files = true;
    restart_daemon();
    int asked = 0;
    while (pair(call(R::is_remote_recovering, RegionNumber{3})).flag == 1)
        ASSERT_LT(++asked, 100);
    EXPECT_GE(asked, 10);
    EXPECT_EQ(integer(call(R::in_sync, RegionNumber{3})), 1U);
}

// The socket was full when the kernel sent it, and the kernel believes that nobody was there.
TEST_F(Kept, suspend_that_is_lost_although_the_daemon_lives_ends) {
    cluster->start(1);
    cluster->start(2);
    call(R::ctr, ConstructorText{core_log, true});
    call(R::resume);
    int asked = 0;
    while (pair(call(R::is_remote_recovering, RegionNumber{3})).flag == 1)
        ASSERT_LT(++asked, 100);
    EXPECT_GE(asked, 10);
}

TEST_F(Kept, file_of_another_ring_tells_of_the_own_marks_alone) {
    cluster->start(1);
    recover_all();
    call(R::flush, list({7}));
    cluster->kill(1);
    // Another node was in the ring meanwhile, and wrote who knows what.
    cluster->add(2);
    cluster->crash(2);
    cluster->restart(1, false);
    EXPECT_EQ(integer(call(R::get_sync_count)), 0U);
    EXPECT_TRUE(state().marks().marked_by(owner(), 7));
}

TEST_F(Kept, file_of_another_table_or_boot_is_not_believed) {
    cluster->start(1);
    recover_all();
    auto kept = file();
    kept.identity.region_count = 71;
    EXPECT_NE(kept.identity, file().identity);
    kept = file();
    kept.identity.boot[0] ^= 1U;
    LogConfig config{kept.identity.uuid, node().luid, node().boot, 1, kept, {}};
    MirrorLogCore core(config);
    Effects effects;
    core.request({1, R::ctr, 2, node().luid, kept.identity.uuid, ConstructorText{core_log, true}}, cluster->now,
                 effects);
    const auto warned = std::any_of(effects.begin(), effects.end(), [](const Effect& effect) {
        const auto* line = std::get_if<LineEffect>(&effect);
        return line != nullptr && line->text.find("no state file") != std::string::npos;
    });
    EXPECT_TRUE(warned);
}

TEST_F(Kept, change_costs_one_line) {
    use("4294967296 clustered-core 1024 nosync");
    cluster->start(1);
    Effects effects;
    node().core->request({9, R::mark_region, 2, node().luid, *Uuid::from_text("LVM-test"), list({3'000'000})},
                         cluster->now, effects);
    const auto* keep = std::get_if<KeepEffect>(&effects.front());
    ASSERT_NE(keep, nullptr) << "it comes before the answer";
    ASSERT_EQ(keep->patches.size(), 1U);
    EXPECT_EQ(keep->patches[0].bytes.size(), state_line_size);
}

}  // namespace
}  // namespace cmirror::mirror_log
