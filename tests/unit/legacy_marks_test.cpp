// Marks beside legacy members: who knows of them, and what becomes of those that nobody can name (design.md, "Mixed
// clusters").
#include "tests/unit/legacy_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using std::chrono::seconds;

TEST_F(MixedGroup, marks_are_told_before_the_checkpoint) {
    start({1, 2});
    recover_all(1);
    call(1, R::mark_region, list({5}));
    call(1, R::flush);
    call(2, R::mark_region, list({6}));
    call(2, R::flush);
    join_legacy(3);
    EXPECT_EQ(legacy(3).marks_of(5), std::set<NodeId>{1});
    EXPECT_EQ(legacy(3).marks_of(6), std::set<NodeId>{2});
    std::size_t told = 0;
    for (const auto& [sender, message] : cluster->spoken) {
        const auto* frame = std::get_if<LegacyFrame>(&message);
        if (frame == nullptr) continue;
        if (frame->type == static_cast<std::uint32_t>(R::mark_region)) ++told;
        if (frame->type == legacy_checkpoint_ready) {
            EXPECT_EQ(told, 2U);
        }
    }
}

TEST_F(MixedGroup, a_legacy_joiner_clears_a_region_that_ours_still_writes) {
    start({1, 2});
    recover_all(1);
    call(2, R::mark_region, list({5}));
    call(2, R::flush);
    join_legacy(3);
    EXPECT_TRUE(legacy_done(3, R::mark_region, {5}));
    legacy_ask(3, R::clear_region, {5});
    EXPECT_TRUE(legacy_done(3, R::flush));
    EXPECT_FALSE(legacy(3).clean(5));
    EXPECT_FALSE(state(1).clean().test(5));
    call(2, R::clear_region, list({5}));
    cluster->advance(seconds{1});
    EXPECT_TRUE(legacy(3).clean(5));
    EXPECT_TRUE(state(1).clean().test(5));
    expect_alike(1, 3);
}

TEST_F(MixedGroup, a_legacy_joiner_clears_a_region_that_an_older_legacy_member_still_writes) {
    start({1});
    recover_all(1);
    join_legacy(2);
    EXPECT_TRUE(legacy_done(2, R::mark_region, {5}));
    EXPECT_TRUE(legacy_done(2, R::flush));
    join_legacy(3);
    EXPECT_TRUE(legacy_done(3, R::mark_region, {5}));
    legacy_ask(3, R::clear_region, {5});
    EXPECT_TRUE(legacy_done(3, R::flush));
    EXPECT_FALSE(legacy(3).clean(5)) << "our server's mark stands in for node 2's";
    EXPECT_FALSE(state(1).clean().test(5));
    legacy_ask(2, R::clear_region, {5});
    EXPECT_TRUE(legacy_done(2, R::flush));
    cluster->advance(seconds{1});
    EXPECT_TRUE(legacy(3).clean(5));
    EXPECT_TRUE(state(1).clean().test(5));
}

TEST_F(MixedGroup, warm_marks_are_given_up_and_no_new_ones_kept) {
    start({1, 2});
    recover_all(1);
    call(1, R::mark_region, list({5}));
    call(1, R::flush);
    call(1, R::clear_region, list({5}));
    ASSERT_TRUE(state(2).marks().marked(5));
    join_legacy(3);
    cluster->advance(seconds{1});
    EXPECT_FALSE(state(2).marks().marked(5));
    EXPECT_TRUE(legacy(3).marks_of(5).empty());
    call(1, R::mark_region, list({6}));
    call(1, R::flush);
    EXPECT_EQ(legacy(3).marks_of(6), std::set<NodeId>{1});
    call(1, R::clear_region, list({6}));
    cluster->advance(seconds{1});
    EXPECT_TRUE(legacy(3).marks_of(6).empty());
    EXPECT_TRUE(legacy(3).clean(6));
}

TEST_F(MixedGroup, a_legacy_member_that_leaves_with_marks_leaves_them_out_of_sync) {
    start({1});
    recover_all(1);
    join_legacy(2);
    EXPECT_TRUE(legacy_done(2, R::mark_region, {5}));
    cluster->leave_legacy(2);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_FALSE(state(1).clean().test(5));
    EXPECT_FALSE(state(1).marks().marked(5));
}

TEST_F(MixedGroup, marks_of_a_legacy_member_that_failed_stay_until_the_node_is_proved_gone) {
    start({1});
    recover_all(1);
    join_legacy(2);
    EXPECT_TRUE(legacy_done(2, R::mark_region, {5}));
    cluster->crash(2);
    cluster->settle();
    EXPECT_TRUE(state(1).marks().marked(5));
    EXPECT_FALSE(state(1).clean().test(5));
    EXPECT_EQ(integer(1, R::get_sync_count), region_count - 1);
    Effects effects;
    node(1).core->node_gone(2, cluster->now, effects);
    cluster->settle();
    for (const Effect& effect : effects)
        if (const auto* send = std::get_if<SendEffect>(&effect)) {
            Effects more;
            node(1).core->delivered(node(1).member(), send->message, cluster->now, more);
        }
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_FALSE(state(1).marks().marked(5));
}

TEST_F(MixedGroup, a_dirty_region_of_unknown_owner_is_out_of_sync_when_an_older_member_is_gone) {
    join_legacy(1);
    join_legacy(2);
    for (RegionNumber region = 0; region < 3; ++region) {
        EXPECT_TRUE(legacy_done(1, R::set_region_sync, {legacy_pair(1, R::get_resync_work).at(1), 1}));
        legacy_ask(1, R::clear_region, {region});
    }
    EXPECT_TRUE(legacy_done(2, R::mark_region, {1}));
    EXPECT_TRUE(legacy_done(1, R::mark_region, {2}));
    start({3, 4});
    EXPECT_TRUE(state(3).marks().of(unknown_owner).contains(1));
    // Both older members say that they do not write region 2.
    legacy_ask(1, R::clear_region, {2});
    legacy_ask(2, R::clear_region, {2});
    cluster->settle();
    EXPECT_FALSE(state(3).marks().marked(2));
    EXPECT_TRUE(state(3).clean().test(2));
    cluster->crash(2);
    cluster->settle();
    EXPECT_FALSE(state(3).sync().test(1));
    EXPECT_FALSE(state(3).clean().test(1));
    EXPECT_FALSE(state(3).marks().marked(1));
    EXPECT_TRUE(state(3).sync().test(0));
    EXPECT_TRUE(state(3).sync().test(2));
    EXPECT_FALSE(legacy(1).in_sync(1)) << "legacy members are told";
    expect_equal({3, 4});
}

TEST_F(MixedGroup, one_older_member_that_clears_does_not_speak_for_the_other) {
    join_legacy(1);
    join_legacy(2);
    EXPECT_TRUE(legacy_done(1, R::set_region_sync, {legacy_pair(1, R::get_resync_work).at(1), 1}));
    EXPECT_TRUE(legacy_done(2, R::mark_region, {0}));
    start({3});
    EXPECT_TRUE(legacy_done(1, R::mark_region, {0}));
    legacy_ask(1, R::clear_region, {0});
    cluster->settle();
    EXPECT_TRUE(state(3).marks().marked(0));
    EXPECT_FALSE(state(3).clean().test(0));
    legacy_ask(2, R::clear_region, {0});
    cluster->settle();
    EXPECT_TRUE(state(3).clean().test(0));
}

TEST_F(MixedGroup, a_writer_of_ours_that_is_gone_is_told_to_legacy_members) {
    start({1, 2});
    recover_all(1);
    join_legacy(3);
    call(2, R::mark_region, list({5}));
    call(2, R::flush);
    cluster->crash(2);
    cluster->settle();
    EXPECT_TRUE(legacy(3).in_sync(5));
    cluster->restart(2, true);
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_FALSE(legacy(3).in_sync(5));
    expect_equal({1, 2});
}

TEST_F(MixedGroup, what_our_kernel_leaves_marked_is_out_of_sync_for_legacy_members_too) {
    start({1});
    recover_all(1);
    join_legacy(2);
    call(1, R::mark_region, list({5}));
    call(1, R::flush);
    call(1, R::presuspend);
    call(1, R::postsuspend);
    EXPECT_EQ(node(1).core->life(), LifeState::suspended);
    EXPECT_FALSE(legacy(2).in_sync(5));
    EXPECT_FALSE(legacy(2).clean(5));
}

TEST_F(MixedGroup, a_leg_failure_of_ours_is_told_to_legacy_members) {
    start({1, 2});
    recover_all(1);
    join_legacy(3);
    EXPECT_EQ(error(2, R::set_region_sync, RegionSync{5, false}), 0);
    EXPECT_FALSE(legacy(3).in_sync(5));
    expect_alike(1, 3);
}

TEST_F(MixedGroup, frames_that_corosync_loses_are_said_again) {
    start({1, 2});
    recover_all(1);
    join_legacy(3);
    call(2, R::mark_region, list({5}));
    cluster->drop_next[2] = 1;
    call(2, R::flush);
    EXPECT_TRUE(legacy(3).marks_of(5).empty());
    call(2, R::mark_region, list({6}));
    call(2, R::flush);
    cluster->advance(seconds{3});
    EXPECT_EQ(legacy(3).marks_of(5), std::set<NodeId>{2});
    EXPECT_EQ(legacy(3).marks_of(6), std::set<NodeId>{2});
}

}  // namespace
}  // namespace cmirror::mirror_log
