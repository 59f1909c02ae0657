// Joins, leaves, and corosync that goes away.
#include <gtest/gtest.h>

#include "tests/unit/cluster_gateway_fixture.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;

TEST_F(ClusterGatewayCoreTest, a_join_opens_joins_and_tells_membership_then_quorum) {
    connect();
    EXPECT_EQ(take(), (Words{"open quorum"}));
    core.join(uuid("log"), 7, true, now, effects);
    EXPECT_EQ(take(), (Words{"open 1"}));
    core.on_group_opened(1, true, {}, now, effects);
    EXPECT_EQ(take(), (Words{"join 1"}));
    core.on_join_called(1, ClusterCall::done, now, effects);
    EXPECT_EQ(take(), Words{});
    confirm(1);
    EXPECT_EQ(take(), (Words{"tell 7 member", "tell 7 quorum"}));
}

TEST_F(ClusterGatewayCoreTest, joining_twice_is_joining_once) {
    connect();
    enter(7, 1);
    core.join(uuid("log"), 7, false, now, effects);
    core.join(uuid("log"), 7, true, now, effects);
    EXPECT_EQ(take(), Words{});
}

TEST_F(ClusterGatewayCoreTest, log_that_is_in_use_supersedes_another_of_its_group) {
    connect();
    enter(7, 1);
    core.join(uuid("log"), 8, true, now, effects);
    EXPECT_EQ(take(), Words{"tell 7 give way"});
    core.leave(uuid("log"), 7, now, effects);
    core.on_membership(1, {self, {}, {{self, ChangeReason::leave}}, {}}, now, effects);
    EXPECT_EQ(take(), (Words{"leave 1", "close 1", "tell 7 out", "release 7", "open 2"}));
}

TEST_F(ClusterGatewayCoreTest, what_a_log_left_behind_reaches_the_next_one_once_and_first) {
    connect();
    enter(7, 1);
    core.leave_behind(uuid("other"), left(3), now);
    core.leave_behind(uuid("log"), left(3), now);
    core.leave_behind(uuid("log"), left(5), now);
    core.leave(uuid("log"), 7, now, effects);
    // A leave that left nothing takes nothing away.
    core.leave_behind(uuid("log"), {}, now);
    core.on_membership(1, {self, {}, {{self, ChangeReason::leave}}, {}}, now, effects);
    core.join(uuid("log"), 8, true, now, effects);
    core.on_group_opened(2, true, {}, now, effects);
    core.on_join_called(2, ClusterCall::done, now, effects);
    take();
    confirm(2);
    EXPECT_EQ(take(), (Words{"tell 8 left behind 5", "tell 8 member", "tell 8 quorum"}));
    confirm(2);
    EXPECT_EQ(take(), Words{"tell 8 member"});
}

TEST_F(ClusterGatewayCoreTest, what_is_left_behind_counts_for_a_while) {
    connect();
    JoinId id = 0;
    for (const auto early : {1ms, 0ms}) {
        core.leave_behind(uuid("log"), left(5), now);
        EXPECT_EQ(core.next_due(), now + Core::left_behind_for);
        now += Core::left_behind_for - early;
        core.join(uuid("log"), 8, true, now, effects);
        core.on_group_opened(++id, true, {}, now, effects);
        core.on_join_called(id, ClusterCall::done, now, effects);
        take();
        confirm(id);
        EXPECT_EQ(take().front(), early == 1ms ? "tell 8 left behind 5" : "tell 8 member");
        EXPECT_FALSE(core.next_due());
        core.on_log_gone(8, now, effects);
    }
}

TEST_F(ClusterGatewayCoreTest, what_is_left_behind_waits_for_corosync_with_who_joins) {
    connect();
    core.leave_behind(uuid("log"), left(5), now);
    core.leave_behind(uuid("other"), left(3), now);
    core.on_lost("gone", now, effects);
    core.join(uuid("log"), 8, true, now, effects);
    for (int i = 0; i < 3; ++i) {
        advance(Core::left_behind_for);
        EXPECT_GT(core.next_due(), now) << "nothing is due again at once";
    }
    core.on_quorum_opened(true, {}, now, effects);
    core.on_group_opened(1, true, {}, now, effects);
    core.on_join_called(1, ClusterCall::done, now, effects);
    take();
    confirm(1);
    EXPECT_EQ(take().front(), "tell 8 left behind 5");
    EXPECT_FALSE(core.next_due());
}

TEST_F(ClusterGatewayCoreTest, what_nobody_inherits_is_dropped_in_time) {
    connect();
    core.leave_behind(uuid("log"), left(5), now);
    advance(Core::left_behind_for);
    EXPECT_FALSE(core.next_due());
}

TEST_F(ClusterGatewayCoreTest, what_is_left_behind_is_bounded_and_the_oldest_goes_first) {
    connect();
    for (const auto* name : {"log0", "log1", "log2"})
        core.leave_behind(uuid(name), left(Core::left_behind_max / 2), now);
    JoinId id = 0;
    for (const auto* name : {"log0", "log1"}) {
        core.join(uuid(name), ++id, true, now, effects);
        core.on_group_opened(id, true, {}, now, effects);
        core.on_join_called(id, ClusterCall::done, now, effects);
        take();
        confirm(id);
        EXPECT_EQ(take().front().find("left behind") != std::string::npos, id == 2);
    }
}

TEST_F(ClusterGatewayCoreTest, log_that_may_not_be_in_use_gives_way_until_it_shows_that_it_is) {
    connect();
    enter(7, 1);
    core.join(uuid("log"), 8, false, now, effects);
    EXPECT_EQ(take(), Words{"tell 8 give way"});
    core.join(uuid("log"), 8, true, now, effects);
    EXPECT_EQ(take(), Words{"tell 7 give way"});
}

TEST_F(ClusterGatewayCoreTest, a_join_that_has_to_try_again_does) {
    connect();
    core.join(uuid("log"), 7, true, now, effects);
    core.on_group_opened(1, true, {}, now, effects);
    core.on_join_called(1, ClusterCall::try_again, now, effects);
    take();
    EXPECT_EQ(core.next_due(), now + 1ms);
    advance(1ms);
    EXPECT_EQ(take(), (Words{"join 1"}));
}

TEST_F(ClusterGatewayCoreTest, a_leave_is_complete_with_a_membership_without_us) {
    connect();
    enter(7, 1);
    core.leave(uuid("log"), 7, now, effects);
    EXPECT_EQ(take(), (Words{"leave 1"}));
    core.on_leave_called(1, ClusterCall::done, now, effects);
    EXPECT_EQ(take(), Words{});
    core.on_membership(1, {self, {peer}, {{self, ChangeReason::leave}}, {}}, now, effects);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 out", "release 7"}));
}

TEST_F(ClusterGatewayCoreTest, a_join_waits_for_an_earlier_leave_of_the_group) {
    connect();
    enter(7, 1);
    core.leave(uuid("log"), 7, now, effects);
    core.join(uuid("log"), 8, true, now, effects);
    core.join(uuid("another"), 9, true, now, effects);
    EXPECT_EQ(take(), (Words{"leave 1", "open 3"}));
    core.on_membership(1, {self, {}, {{self, ChangeReason::leave}}, {}}, now, effects);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 out", "release 7", "open 2"}));
}

TEST_F(ClusterGatewayCoreTest, the_same_log_may_leave_and_join_again) {
    connect();
    enter(7, 1);
    core.leave(uuid("log"), 7, now, effects);
    core.join(uuid("log"), 7, true, now, effects);
    EXPECT_EQ(take(), (Words{"leave 1"}));
    core.on_membership(1, {self, {}, {{self, ChangeReason::leave}}, {}}, now, effects);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 out", "open 2"}));
}

TEST_F(ClusterGatewayCoreTest, a_leave_before_the_membership_leaves_after_it) {
    connect();
    core.join(uuid("log"), 7, true, now, effects);
    core.on_group_opened(1, true, {}, now, effects);
    core.on_join_called(1, ClusterCall::done, now, effects);
    core.leave(uuid("log"), 7, now, effects);
    take();
    confirm(1);
    EXPECT_EQ(take(), (Words{"leave 1"}));
}

TEST_F(ClusterGatewayCoreTest, a_log_that_leaves_hears_nothing_but_the_end) {
    connect();
    enter(7, 1);
    core.leave(uuid("log"), 7, now, effects);
    take();
    core.on_delivered(1, peer, pack_cluster_message(Valid{5}, uuid("log")), now, effects);
    confirm(1);
    core.on_quorum({false, 2, {1}}, effects);
    EXPECT_EQ(take(), Words{});
}

// Its kernel lives on: the others must not take it for one that has drained its writes.
TEST_F(ClusterGatewayCoreTest, a_log_that_is_gone_does_not_leave_but_ends) {
    connect();
    enter(7, 1);
    core.on_log_gone(7, now, effects);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 out", "release 7"}));
}

TEST_F(ClusterGatewayCoreTest, a_lost_cluster_is_told_and_joined_again) {
    connect();
    enter(7, 1);
    core.on_lost("test", now, effects);
    EXPECT_EQ(take(), (Words{"close quorum", "close 1", "tell 7 lost", "tell 7 no quorum"}));
    core.on_lost("test", now, effects);
    EXPECT_EQ(take(), Words{});
    advance(100ms);
    EXPECT_EQ(take(), (Words{"open quorum"}));
    core.on_quorum_opened(true, {}, now, effects);
    EXPECT_EQ(take(), (Words{"open 1"}));
    core.on_group_opened(1, true, {}, now, effects);
    EXPECT_EQ(take(), (Words{"join 1"}));
    confirm(1);
    EXPECT_EQ(take(), (Words{"tell 7 member"}));
    core.on_quorum({true, 3, {1, 2}}, effects);
    EXPECT_EQ(take(), (Words{"tell 7 quorum"}));
}

TEST_F(ClusterGatewayCoreTest, group_that_cannot_be_opened_is_tried_again_and_the_others_go_on) {
    connect();
    enter(7, 1);
    core.join(uuid("another"), 8, true, now, effects);
    core.on_group_opened(2, false, "no descriptors", now, effects);
    EXPECT_EQ(lines(), 1U);
    EXPECT_EQ(take(), Words{"open 2"});
    advance(100ms);
    EXPECT_EQ(take(), Words{"open 2"});
    core.on_group_opened(2, false, "no descriptors", now, effects);
    EXPECT_EQ(lines(), 0U) << "one line in a while";
    advance(200ms);
    EXPECT_EQ(take(), Words{"open 2"});
    core.on_group_opened(2, true, {}, now, effects);
    EXPECT_EQ(take(), Words{"join 2"});
}

TEST_F(ClusterGatewayCoreTest, log_may_leave_while_its_group_cannot_be_opened) {
    connect();
    take();
    core.join(uuid("log"), 7, true, now, effects);
    core.leave(uuid("log"), 7, now, effects);
    core.on_group_opened(1, false, "no descriptors", now, effects);
    EXPECT_EQ(take(), (Words{"open 1", "close 1", "tell 7 out", "release 7"}));
    EXPECT_FALSE(core.next_due());
}

TEST_F(ClusterGatewayCoreTest, reconnecting_backs_off_to_two_seconds) {
    core.start(now, effects);
    std::vector<std::chrono::nanoseconds> waits;
    for (int i = 0; i < 6; ++i) {
        core.on_quorum_opened(false, "test", now, effects);
        waits.push_back(*core.next_due() - now);
        advance(waits.back());
    }
    EXPECT_EQ(waits, (std::vector<std::chrono::nanoseconds>{100ms, 200ms, 400ms, 800ms, 1600ms, 2s}));
}

TEST_F(ClusterGatewayCoreTest, a_loss_during_flow_control_discards_what_was_queued) {
    connect();
    enter(7, 1);
    multicast(7);
    core.on_multicast_called(1, ClusterCall::try_again, now, effects);
    core.on_lost("test", now, effects);
    take();
    EXPECT_EQ(counter("queued"), "0");
    advance(1ms);
    EXPECT_EQ(take(), Words{});
    multicast(7);
    EXPECT_EQ(take(), Words{});
    EXPECT_EQ(counter("stray"), "1");
}

// Two joins try again at the same time, and the first finds that corosync is gone.
TEST_F(ClusterGatewayCoreTest, a_loss_leaves_nothing_to_send_for_the_others) {
    connect();
    for (const LogId log : {7U, 8U}) {
        const Uuid group = uuid(log == 7 ? "log" : "another");
        const JoinId id = log - 6;
        core.join(group, log, true, now, effects);
        core.on_group_opened(id, true, {}, now, effects);
        core.on_join_called(id, ClusterCall::done, now, effects);
        confirm(id);
        core.multicast(group, log, Valid{1}, now, effects);
        core.on_multicast_called(id, ClusterCall::try_again, now, effects);
    }
    take();
    advance(1ms);
    EXPECT_EQ(take(), (Words{"multicast 1", "multicast 2"}));
    core.on_multicast_called(1, ClusterCall::lost, now, effects);
    EXPECT_TRUE(core.next_frame(2).empty());
}

TEST_F(ClusterGatewayCoreTest, a_loss_completes_a_leave) {
    connect();
    enter(7, 1);
    core.leave(uuid("log"), 7, now, effects);
    core.join(uuid("log"), 8, true, now, effects);
    take();
    core.on_lost("test", now, effects);
    EXPECT_EQ(take(), (Words{"close quorum", "close 1", "tell 7 out", "release 7"}));
    advance(100ms);
    core.on_quorum_opened(true, {}, now, effects);
    EXPECT_EQ(take(), (Words{"open quorum", "open 2"}));
}

TEST_F(ClusterGatewayCoreTest, a_leave_while_corosync_is_away_is_complete_at_once) {
    connect();
    enter(7, 1);
    core.on_lost("test", now, effects);
    take();
    core.leave(uuid("log"), 7, now, effects);
    EXPECT_EQ(take(), (Words{"tell 7 out", "release 7"}));
}

TEST_F(ClusterGatewayCoreTest, a_group_that_throws_us_out_is_joined_again) {
    connect();
    enter(7, 1);
    core.on_membership(1, {self, {peer}, {{self, ChangeReason::node_down}}, {}}, now, effects);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 lost"}));
}

TEST_F(ClusterGatewayCoreTest, shut_down_leaves_everything) {
    connect();
    enter(7, 1);
    core.join(uuid("log"), 8, true, now, effects);
    take();
    core.shut_down(effects);
    EXPECT_EQ(take(),
              (Words{"leave 1", "close 1", "tell 7 out", "release 7", "tell 8 out", "release 8", "close quorum"}));
    EXPECT_EQ(core.next_due(), std::nullopt);
}

TEST_F(ClusterGatewayCoreTest, nodes_of_the_ring_are_told) {
    EXPECT_EQ(counter("node_list"), "");
    connect();
    EXPECT_EQ(counter("node_list"), "1 2");
    core.on_quorum({false, 2, {30}}, effects);
    EXPECT_EQ(counter("node_list"), "30");
}

}  // namespace
}  // namespace cmirror
