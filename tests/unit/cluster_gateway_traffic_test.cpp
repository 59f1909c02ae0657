// What is sent and delivered.
#include <gtest/gtest.h>

#include "tests/unit/cluster_gateway_fixture.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;

TEST_F(ClusterGatewayCoreTest, a_message_is_sent_at_once) {
    connect();
    enter(7, 1);
    multicast(7);
    EXPECT_EQ(take(), (Words{"multicast 1"}));
    EXPECT_EQ(unpack_cluster_message(core.next_frame(1), uuid("log")).value(), ClusterMessage(Valid{1}));
    core.on_multicast_called(1, ClusterCall::done, now, effects);
    EXPECT_EQ(take(), Words{});
    EXPECT_EQ(core.next_due(), std::nullopt);
}

TEST_F(ClusterGatewayCoreTest, flow_control_keeps_the_order) {
    connect();
    enter(7, 1);
    multicast(7, 1);
    core.on_multicast_called(1, ClusterCall::try_again, now, effects);
    multicast(7, 2);
    EXPECT_EQ(take(), (Words{"multicast 1"}));
    advance(1ms);
    EXPECT_EQ(take(), (Words{"multicast 1"}));
    EXPECT_EQ(unpack_cluster_message(core.next_frame(1), uuid("log")).value(), ClusterMessage(Valid{1}));
    core.on_multicast_called(1, ClusterCall::done, now, effects);
    EXPECT_EQ(take(), (Words{"multicast 1"}));
    EXPECT_EQ(unpack_cluster_message(core.next_frame(1), uuid("log")).value(), ClusterMessage(Valid{2}));
}

TEST_F(ClusterGatewayCoreTest, attempts_become_rarer_down_to_one_in_100_ms) {
    connect();
    enter(7, 1);
    multicast(7);
    std::vector<std::chrono::nanoseconds> waits;
    for (int i = 0; i < 9; ++i) {
        core.on_multicast_called(1, ClusterCall::try_again, now, effects);
        waits.push_back(*core.next_due() - now);
        advance(waits.back());
    }
    EXPECT_EQ(waits, (std::vector<std::chrono::nanoseconds>{1ms, 2ms, 4ms, 8ms, 16ms, 32ms, 64ms, 100ms, 100ms}));
}

TEST_F(ClusterGatewayCoreTest, what_is_queued_is_sent_before_the_leave) {
    connect();
    enter(7, 1);
    multicast(7);
    core.on_multicast_called(1, ClusterCall::try_again, now, effects);
    core.leave(uuid("log"), 7, now, effects);
    take();
    advance(1ms);
    EXPECT_EQ(take(), (Words{"multicast 1"}));
    core.on_multicast_called(1, ClusterCall::done, now, effects);
    EXPECT_EQ(take(), (Words{"leave 1"}));
}

TEST_F(ClusterGatewayCoreTest, a_full_queue_is_said_and_ends_the_join) {
    connect();
    enter(7, 1);
    multicast(7);
    core.on_multicast_called(1, ClusterCall::try_again, now, effects);
    multicast(7);
    multicast(7);
    take();
    multicast(7);
    EXPECT_EQ(lines(), 1U);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 lost"}));
    EXPECT_EQ(counter("queued"), "0");
    advance(100ms);
    EXPECT_EQ(take(), (Words{"open 1"}));
}

TEST_F(ClusterGatewayCoreTest, the_queue_is_bounded_in_bytes_too) {
    connect();
    enter(7, 1);
    multicast(7);
    core.on_multicast_called(1, ClusterCall::try_again, now, effects);
    take();
    StateChunk chunk;
    chunk.count = 1;
    chunk.compressed.resize(5000);
    core.multicast(uuid("log"), 7, chunk, now, effects);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 lost"}));
}

TEST_F(ClusterGatewayCoreTest, a_refused_message_ends_the_join) {
    connect();
    enter(7, 1);
    multicast(7);
    take();
    core.on_multicast_called(1, ClusterCall::refused, now, effects);
    EXPECT_EQ(lines(), 1U);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 lost"}));
}

TEST_F(ClusterGatewayCoreTest, a_message_of_no_join_is_discarded) {
    connect();
    take();
    multicast(7);
    EXPECT_EQ(take(), Words{});
    EXPECT_EQ(counter("stray"), "1");
}

TEST_F(ClusterGatewayCoreTest, a_delivered_message_reaches_the_log) {
    connect();
    enter(7, 1);
    core.on_delivered(1, peer, pack_cluster_message(Valid{5}, uuid("log")), now, effects);
    ASSERT_EQ(effects.size(), 1U);
    const auto& tell = std::get<Core::Tell>(effects[0]);
    const auto& delivered = std::get<Core::DeliveredMessage>(tell.news);
    EXPECT_EQ(delivered.sender, peer);
    EXPECT_EQ(*delivered.message, ClusterMessage(Valid{5}));
}

TEST_F(ClusterGatewayCoreTest, a_bad_frame_is_dropped_counted_and_said_once) {
    connect();
    enter(7, 1);
    const std::array<std::byte, 4> bytes{};
    core.on_delivered(1, peer, bytes, now, effects);
    core.on_delivered(1, peer, bytes, now, effects);
    EXPECT_EQ(lines(), 1U);
    EXPECT_EQ(take(), Words{});
    EXPECT_EQ(counter("fault " + std::string(name_of(ClusterFrameFault::short_frame))), "2");
}

TEST_F(ClusterGatewayCoreTest, quorum_reaches_all_members) {
    connect();
    enter(7, 1);
    core.on_quorum({false, 2, {1}}, effects);
    EXPECT_EQ(take(), (Words{"tell 7 no quorum"}));
}

}  // namespace
}  // namespace cmirror
