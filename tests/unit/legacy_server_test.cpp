// Requests and answers between ours and legacy members, whoever serves (spec/cluster-v5.md, "Who says what").
#include "tests/unit/legacy_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using std::chrono::seconds;

TEST_F(MixedGroup, our_server_answers_as_recorded) {
    // tests/golden/data/three-nodes-core.frames, the requests of node 2 and 3 and what node 1 answered.
    start({1});
    for (RegionNumber region = 0; region < 3; ++region)
        call(1, R::set_region_sync, RegionSync{pair(1, R::get_resync_work).region, true});
    call(1, R::mark_region, list({2}));
    call(1, R::flush);
    cluster->advance(seconds{3});
    join_legacy(2);
    EXPECT_EQ(legacy_pair(2, R::is_remote_recovering, {40}).at(0), 1U);
    EXPECT_EQ(legacy_pair(2, R::is_clean, {2}), Pair{0});
    EXPECT_EQ(legacy_pair(2, R::is_clean, {1}), Pair{0});
    EXPECT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 40}));
    EXPECT_EQ(legacy_pair(2, R::get_resync_work), (Pair{0, 0}));
    join_legacy(3);
    const auto sent = checkpoints(1);
    ASSERT_EQ(sent.size(), 2U);
    const LegacyCheckpoint recorded{{7, 0, 0}, {0, 0, 0}, 40, 1};
    EXPECT_EQ(sent[1], (LegacyFrame{3, 0, 0, 0, 1, legacy_checkpoint_ready, pack_legacy_checkpoint(recorded, 70)}));
    EXPECT_EQ(error(1, R::set_region_sync, RegionSync{40, true}), 0);
    EXPECT_TRUE(legacy_done(3, R::mark_region, {0, 1, 2}));
    EXPECT_TRUE(legacy_done(3, R::flush));
    call(1, R::clear_region, list({2}));
    cluster->advance(seconds{1});
    EXPECT_EQ(legacy_pair(2, R::is_clean, {2}), Pair{0});
    legacy_ask(3, R::clear_region, {0, 1, 2});
    EXPECT_TRUE(legacy_done(3, R::flush));
    EXPECT_EQ(legacy_pair(2, R::is_clean, {2}), Pair{1});
    EXPECT_TRUE(legacy_done(2, R::set_region_sync, {1, 0}));
    EXPECT_EQ(legacy_call(3, R::in_sync, {1})->integers, Pair{0});
    EXPECT_EQ(legacy_call(3, R::status_info)->text, "1 clustered-core");
    EXPECT_EQ(legacy_call(2, R::is_clean, {70})->error, -EINVAL);
    expect_alike(1, 2);
    expect_alike(1, 3);
    // Every answer has the originator, the request's seq and version, and no pit_server.
    for (const LegacyFrame& frame : responses(1, R::mark_region))
        EXPECT_EQ(frame, (LegacyFrame{3, 0, 2, 0, frame.seq, 0x100a, {}}));
}

TEST_F(MixedGroup, a_clear_is_not_answered) {
    start({1});
    join_legacy(2);
    EXPECT_TRUE(legacy_done(2, R::mark_region, {5}));
    legacy_ask(2, R::clear_region, {5});
    cluster->settle();
    EXPECT_TRUE(responses(1, R::clear_region).empty());
    EXPECT_FALSE(state(1).marks().marked(5));
}

TEST_F(MixedGroup, requests_of_ours_carry_the_tag_where_ours_serves_and_are_not_answered) {
    start({1, 2});
    join_legacy(3);
    EXPECT_EQ(error(2, R::mark_region, list({5})), 0);
    EXPECT_EQ(error(2, R::flush), 0);
    const auto marks = requests(2, R::mark_region);
    ASSERT_EQ(marks.size(), 1U);
    EXPECT_EQ(marks[0].pit_server, legacy_no_response_tag);
    EXPECT_EQ(legacy_integers(marks[0]), Pair{5});
    EXPECT_TRUE(responses(1, R::mark_region).empty());
    EXPECT_EQ(legacy(3).marks_of(5), std::set<NodeId>{2});
}

// Beside a legacy server ours says only that it has applied the mark.
TEST_F(MixedDiskGroup, a_flush_that_a_dead_legacy_server_left_open_waits_for_the_log_device) {
    join_legacy(1);
    start({2, 3});
    call(3, R::mark_region, list({5}));
    cluster->hold_writes = true;
    node(1).silent = true;
    const std::uint32_t flush = cluster->ask(3, R::flush);
    cluster->settle();
    ASSERT_FALSE(answered(3, flush));
    cluster->crash(1);
    cluster->advance(seconds{2});
    EXPECT_FALSE(answered(3, flush));
    cluster->hold_writes = false;
    cluster->release_writes();
    cluster->advance(seconds{20});
    EXPECT_TRUE(answered(3, flush));
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(MixedDiskGroup, a_flush_that_our_dead_server_left_open_waits_for_the_legacy_one) {
    start({1});
    join_legacy(2);
    start({3});
    call(3, R::mark_region, list({5}));
    cluster->hold_writes = true;
    const std::uint32_t flush = cluster->ask(3, R::flush);
    cluster->settle();
    ASSERT_FALSE(answered(3, flush));
    cluster->kill(1);
    while (cluster->step(3)) {
    }
    EXPECT_FALSE(answered(3, flush));
    cluster->settle();
    EXPECT_TRUE(answered(3, flush));
}

TEST_F(MixedGroup, a_flush_waits_for_the_legacy_server) {
    join_legacy(1);
    start({2});
    call(2, R::mark_region, list({5}));
    const std::uint32_t flush = cluster->ask(2, R::flush);
    while (cluster->step(2)) {
    }
    EXPECT_FALSE(answered(2, flush)) << "only this node has seen the mark";
    cluster->settle();
    EXPECT_TRUE(answered(2, flush));
    EXPECT_EQ(legacy(1).marks_of(5), std::set<NodeId>{2});
    const auto asked = requests(2, R::flush);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].pit_server, 0U);
    // Nothing new: no round.
    EXPECT_EQ(error(2, R::flush), 0);
    EXPECT_EQ(requests(2, R::flush).size(), 1U);
}

TEST_F(MixedGroup, a_flush_is_asked_again_of_the_next_legacy_server) {
    join_legacy(1);
    join_legacy(2);
    start({3});
    call(3, R::mark_region, list({5}));
    const std::uint32_t flush = cluster->ask(3, R::flush);
    cluster->crash(1);
    EXPECT_FALSE(answered(3, flush));
    cluster->settle();
    EXPECT_TRUE(answered(3, flush));
    EXPECT_EQ(requests(3, R::flush).size(), 2U);
}

TEST_F(MixedGroup, a_flush_open_at_a_legacy_server_is_answered_when_ours_takes_over) {
    join_legacy(1);
    start({2, 3});
    call(3, R::mark_region, list({5}));
    const std::uint32_t flush = cluster->ask(3, R::flush);
    cluster->crash(1);
    cluster->settle();
    EXPECT_TRUE(answered(3, flush));
}

TEST_F(MixedGroup, what_a_legacy_server_left_unanswered_ours_answers) {
    join_legacy(1);
    start({2});
    join_legacy(3);
    const std::uint32_t seq = legacy_ask(3, R::mark_region, {8});
    while (cluster->step(2)) {
    }
    cluster->crash(1);
    cluster->settle();
    EXPECT_TRUE(legacy(3).reply_to(seq));
    EXPECT_TRUE(state(2).marks().of({3, legacy_luid}).contains(8));
}

TEST_F(MixedGroup, without_quorum_legacy_members_wait) {
    start({1});
    join_legacy(2);
    cluster->set_quorum(1, false);
    const std::uint32_t seq = legacy_ask(2, R::flush);
    cluster->settle();
    EXPECT_FALSE(legacy(2).reply_to(seq));
    cluster->set_quorum(1, true);
    cluster->advance(seconds{1});
    EXPECT_TRUE(legacy(2).reply_to(seq));
}

TEST_F(MixedDiskGroup, a_legacy_flush_waits_for_the_device) {
    start({1});
    recover_all(1);
    join_legacy(2);
    cluster->advance(seconds{2});
    cluster->hold_writes = true;
    EXPECT_TRUE(legacy_done(2, R::mark_region, {5}));
    const std::uint32_t seq = legacy_ask(2, R::flush);
    cluster->settle();
    EXPECT_FALSE(legacy(2).reply_to(seq));
    EXPECT_TRUE(cluster->device.clean(5));
    cluster->release_writes();
    EXPECT_TRUE(legacy(2).reply_to(seq));
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(MixedDiskGroup, a_legacy_flush_carries_the_devices_error) {
    start({1});
    recover_all(1);
    join_legacy(2);
    cluster->advance(seconds{2});
    cluster->device.write_error = EIO;
    EXPECT_TRUE(legacy_done(2, R::mark_region, {5}));
    const auto reply = legacy_call(2, R::flush);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->error, -EIO);
    cluster->device.write_error = 0;
    EXPECT_TRUE(legacy_done(2, R::flush));
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(MixedDiskGroup, ours_does_not_write_the_device_while_a_legacy_member_serves) {
    auto& server = cluster->join_legacy(1, region_count);
    std::vector<std::vector<bool>> written;
    server.write_device = [&](const std::vector<bool>& clean) { written.push_back(clean); };
    cluster->settle();
    start({2});
    const std::uint64_t writes = cluster->device.writes;
    EXPECT_EQ(error(2, R::mark_region, list({5})), 0);
    EXPECT_EQ(error(2, R::flush), 0);
    EXPECT_EQ(written.size(), 1U);
    cluster->advance(seconds{5});
    EXPECT_EQ(cluster->device.writes, writes);
}

TEST_F(MixedDiskGroup, ours_merges_the_device_when_it_takes_over_from_a_legacy_server) {
    start({2});
    recover_all(2);
    cluster->advance(seconds{3});
    join_legacy(1);
    ASSERT_TRUE(state(2).legacy_serves());
    // The legacy server's last write is one that no one else has heard of.
    cluster->device.bytes[device_header_size] &= ~std::byte{1U << 5U};
    ASSERT_FALSE(cluster->device.clean(5));
    cluster->crash(1);
    cluster->settle();
    cluster->advance(seconds{3});
    EXPECT_FALSE(state(2).clean().test(5));
    EXPECT_FALSE(cluster->device.clean(5));
    EXPECT_TRUE(cluster->device.clean(6));
}

}  // namespace
}  // namespace cmirror::mirror_log
