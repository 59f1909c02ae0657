// Several nodes with one log device: who writes it, and what a FLUSH waits for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

TEST_F(DiskGroup, flush_of_another_node_waits_for_the_servers_device) {
    start({1, 2});
    recover_all(1);
    cluster->advance(2s);
    cluster->hold_writes = true;
    const auto flush = cluster->ask(2, R::flush, list({5}));
    cluster->settle();
    EXPECT_FALSE(answered(2, flush));
    cluster->release_writes();
    EXPECT_TRUE(answered(2, flush));
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(DiskGroup, servers_flush_waits_for_the_other_member_as_well) {
    start({1, 2});
    recover_all(1);
    cluster->advance(2s);
    const auto flush = cluster->ask(1, R::flush, list({5}));
    while (cluster->step(1)) {
    }
    EXPECT_FALSE(answered(1, flush));
    cluster->settle();
    EXPECT_TRUE(answered(1, flush));
}

TEST_F(DiskGroup, device_error_reaches_the_originator_and_the_next_flush_tries_again) {
    start({1, 2});
    recover_all(1);
    cluster->advance(2s);
    cluster->device.write_error = EIO;
    EXPECT_EQ(error(2, R::flush, list({5})), -EIO);
    cluster->device.write_error = 0;
    EXPECT_EQ(error(2, R::flush), 0);
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(DiskGroup, server_take_over_answers_the_open_flush_and_writes_the_device) {
    start({1, 2, 3});
    recover_all(1);
    cluster->advance(2s);
    cluster->hold_writes = true;
    const auto flush = cluster->ask(3, R::flush, list({5}));
    cluster->settle();
    EXPECT_FALSE(answered(3, flush));
    cluster->crash(1);
    cluster->hold_writes = false;
    cluster->settle();
    EXPECT_TRUE(answered(3, flush));
    EXPECT_FALSE(cluster->device.clean(5));
    expect_equal({2, 3});
}

TEST_F(DiskGroup, take_over_merges_the_device_on_all_members) {
    start({1, 2, 3});
    recover_all(1);
    cluster->advance(2s);
    // A mark that only the lost server knew of.
    cluster->device.bytes[1024 + 4] &= std::byte{0xFE};
    cluster->crash(1);
    cluster->settle();
    for (const NodeId id : {2U, 3U})
        EXPECT_FALSE(state(id).clean().test(32));
    EXPECT_EQ(state(2).sync_count(), 69U);
    cluster->advance(2s);
    EXPECT_FALSE(cluster->device.clean(32));
    expect_equal({2, 3});
}

// Until then the device is all that knows of it.
TEST_F(DiskGroup, take_over_writes_nothing_before_all_have_heard_what_the_device_said) {
    start({1, 2, 3});
    recover_all(1);
    cluster->advance(2s);
    cluster->device.bytes[1024 + 4] &= std::byte{0xFE};
    cluster->drop_next[2] = 1000;
    cluster->crash(1);
    cluster->advance(5s);
    EXPECT_FALSE(cluster->device.clean(32));
    cluster->drop_next.clear();
    cluster->advance(20s);
    EXPECT_FALSE(state(3).clean().test(32));
    EXPECT_FALSE(cluster->device.clean(32));
}

TEST_F(DiskGroup, take_over_of_a_device_that_cannot_be_read_is_said_in_one_op) {
    start({1, 2, 3});
    recover_all(1);
    cluster->advance(2s);
    cluster->device.read_error = EIO;
    cluster->spoken.clear();
    cluster->crash(1);
    cluster->settle();
    std::size_t said = 0;
    for (const auto& [from, message] : cluster->spoken)
        if (const auto* ops = std::get_if<Ops>(&message))
            said += static_cast<std::size_t>(std::count_if(ops->ops.begin(), ops->ops.end(),
                                                           [](const Op& op) { return op.kind == OpKind::not_clean; }));
    EXPECT_EQ(said, 1U);
    EXPECT_TRUE(state(3).marks().has_everything(owner(1)));
    EXPECT_EQ(integer(3, R::get_sync_count), 0U);
    expect_equal({2, 3});
}

TEST_F(DiskGroup, every_valid_member_lost_lets_joiners_start_from_the_device) {
    start({1});
    recover_all(1);
    cluster->advance(2s);
    call(1, R::flush, list({5}));
    cluster->add(2);
    cluster->ask(2, R::ctr, ConstructorText{disk_log, false});
    cluster->ask(2, R::resume);
    cluster->crash(1);
    cluster->settle();
    EXPECT_EQ(integer(2, R::get_sync_count), 69U);
}

TEST_F(DiskGroup, relieved_server_ends_its_write_before_the_new_one_looks_at_the_device) {
    start({2, 3});
    recover_all(2);
    cluster->advance(2s);
    cluster->hold_writes = true;
    const auto first = cluster->ask(2, R::flush, list({5}));
    cluster->settle();
    cluster->start(1);
    const auto second = cluster->ask(3, R::flush, list({6}));
    cluster->advance(3s);
    EXPECT_EQ(state(3).server()->id.node, 1U);
    EXPECT_TRUE(node(1).writes_held.empty());
    EXPECT_FALSE(answered(3, second));
    // What the relieved server writes knows nothing of the later mark.
    cluster->release_one_write(2);
    cluster->release_writes();
    EXPECT_TRUE(answered(2, first));
    EXPECT_TRUE(answered(3, second));
    EXPECT_FALSE(cluster->device.clean(5));
    EXPECT_FALSE(cluster->device.clean(6));
    expect_equal({1, 2, 3});
}

TEST_F(DiskGroup, server_relieved_again_speaks_of_its_later_write) {
    start({3, 4});
    recover_all(3);
    cluster->advance(2s);
    cluster->start(2);
    cluster->lose({2}, ChangeReason::process_down);
    cluster->settle();
    cluster->hold_writes = true;
    cluster->ask(4, R::flush, list({5}));
    cluster->settle();
    ASSERT_FALSE(node(3).writes_held.empty());
    cluster->start(1);
    EXPECT_TRUE(state(4).hands_device_over());
    cluster->release_writes();
    EXPECT_FALSE(state(4).hands_device_over());
}

TEST_F(DiskGroup, server_that_hands_the_device_over_vouches_for_what_it_calls_dirty) {
    start({2, 3});
    recover_all(2);
    cluster->advance(2s);
    // A clear that was not worth a write of its own yet.
    cluster->device.bytes[1024 + 4] &= std::byte{0xFE};
    cluster->start(1);
    cluster->advance(2s);
    EXPECT_EQ(state(1).server()->id.node, 1U);
    EXPECT_EQ(state(1).sync_count(), 70U);
    EXPECT_TRUE(state(1).clean().test(32));
    EXPECT_TRUE(cluster->device.clean(32));
    expect_equal({1, 2, 3});
}

TEST_F(DiskGroup, server_that_has_not_looked_at_the_device_itself_vouches_for_nothing) {
    use(disk_log, Settings{});
    start({1, 2, 3});
    recover_all(1);
    cluster->advance(2s);
    // A mark that only the lost server knew of; the next one is relieved before it may look.
    cluster->device.bytes[1024 + 4] &= std::byte{0xFE};
    cluster->crash(1);
    cluster->settle();
    cluster->restart(1, true);
    cluster->advance(3s);
    EXPECT_EQ(state(2).server()->id.node, 1U);
    for (const NodeId id : {1U, 2U, 3U})
        EXPECT_FALSE(state(id).clean().test(32)) << id;
    EXPECT_FALSE(cluster->device.clean(32));
}

TEST_F(DiskGroup, device_of_a_lost_server_is_left_alone_for_three_seconds_and_written_again_later) {
    use(disk_log, Settings{});
    start({1, 2, 3});
    recover_all(1);
    cluster->advance(2s);
    const std::vector<std::byte> late = cluster->device.bytes;
    cluster->crash(1);
    const auto flush = cluster->ask(3, R::flush, list({5}));
    const auto writes = cluster->device.writes;
    cluster->advance(2900ms);
    EXPECT_EQ(cluster->device.writes, writes);
    EXPECT_FALSE(answered(3, flush));
    cluster->advance(200ms);
    EXPECT_TRUE(answered(3, flush));
    EXPECT_FALSE(cluster->device.clean(5));
    // The lost server's last write lands later still.
    cluster->device.bytes = late;
    cluster->advance(12s);
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(DiskGroup, write_that_was_too_late_is_tried_a_second_later_and_fails_nothing) {
    start({1, 2});
    recover_all(1);
    cluster->advance(2s);
    cluster->device.write_error = write_too_late;
    const auto flush = cluster->ask(2, R::flush, list({5}));
    cluster->settle();
    cluster->device.write_error = 0;
    cluster->advance(900ms);
    EXPECT_FALSE(answered(2, flush));
    EXPECT_TRUE(cluster->device.clean(5));
    cluster->advance(200ms);
    EXPECT_EQ(cluster->reply_to(2, flush)->error, 0);
    EXPECT_FALSE(cluster->device.clean(5));
}

TEST_F(DiskGroup, nothing_is_due_at_once_while_a_write_that_was_too_late_waits) {
    start({1, 2, 3});
    recover_all(1);
    cluster->crash(1);
    cluster->advance(9500ms);
    cluster->device.write_error = write_too_late;
    cluster->ask(2, R::flush, list({5}));
    cluster->settle();
    // The device's second writing by the new server comes due meanwhile.
    for (int i = 0; i < 5; ++i) {
        cluster->now += 150ms;
        Effects effects;
        node(2).core->timer(cluster->now, effects);
        for (const Effect& effect : effects) {
            if (const auto* wake = std::get_if<WakeEffect>(&effect)) {
                EXPECT_GT(wake->at, cluster->now);
            }
        }
    }
}

}  // namespace
}  // namespace cmirror::mirror_log
