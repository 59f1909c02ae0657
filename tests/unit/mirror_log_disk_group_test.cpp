// Several nodes with one log device: who writes it, and what a FLUSH waits for.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace cmirror::mirror_log
