#include <gtest/gtest.h>

#include <algorithm>

#include "actors/cluster_gateway/cluster_gateway_core.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;
using test::uuid;
using Core = ClusterGatewayCore;

const MemberId self{1, 100};
const MemberId peer{2, 200};

/// What the core asked for, as words, in order: "open 1", "join 1", "multicast 1", "tell 7 member", ...
std::string words_of(const Core::Effect& effect) {
    const auto with = [](const char* word, JoinId join) { return word + (" " + std::to_string(join)); };
    if (std::holds_alternative<Core::OpenQuorum>(effect)) return "open quorum";
    if (std::holds_alternative<Core::CloseQuorum>(effect)) return "close quorum";
    if (const auto* open = std::get_if<Core::OpenGroup>(&effect)) return with("open", open->join);
    if (const auto* join = std::get_if<Core::CallJoin>(&effect)) return with("join", join->join);
    if (const auto* leave = std::get_if<Core::CallLeave>(&effect)) return with("leave", leave->join);
    if (const auto* send = std::get_if<Core::CallMulticast>(&effect)) return with("multicast", send->join);
    if (const auto* close = std::get_if<Core::CloseGroup>(&effect)) return with("close", close->join);
    if (const auto* release = std::get_if<Core::Release>(&effect)) return with("release", release->log);
    if (std::holds_alternative<LogLine>(effect)) return "line";
    const auto& tell = std::get<Core::Tell>(effect);
    auto text = with("tell", tell.log);
    if (const auto* membership = std::get_if<Membership>(&tell.news)) {
        const auto& members = membership->members;
        const bool in = std::find(members.begin(), members.end(), self) != members.end();
        return text + (in ? " member" : " out");
    }
    if (std::holds_alternative<Core::DeliveredMessage>(tell.news)) return text + " message";
    if (const auto* view = std::get_if<QuorumView>(&tell.news))
        return text + (view->quorate ? " quorum" : " no quorum");
    return text + " lost";
}

using Words = std::vector<std::string>;

class ClusterGatewayCoreTest : public testing::Test {
  protected:
    /// What was asked for since the last call; lines are left out.
    Words take() {
        Words words;
        for (const auto& effect : std::exchange(effects, {})) {
            auto word = words_of(effect);
            if (word != "line") words.push_back(std::move(word));
        }
        return words;
    }
    std::size_t lines() const {
        return static_cast<std::size_t>(std::count_if(effects.begin(), effects.end(), [](const auto& effect) {
            return std::holds_alternative<LogLine>(effect);
        }));
    }
    void connect() {
        core.start(now, effects);
        core.on_quorum_opened(true, {}, now, effects);
        core.on_quorum({true, 1, {1, 2}}, effects);
    }
    void confirm(JoinId join) { core.on_membership(join, {self, {self, peer}, {}, {}}, now, effects); }
    /// The log is a member of "log" with join `id`.
    void enter(LogId log, JoinId id) {
        core.join(uuid("log"), log, now, effects);
        core.on_group_opened(id, true, {}, now, effects);
        core.on_join_called(id, ClusterCall::done, now, effects);
        confirm(id);
        take();
    }
    void multicast(LogId log, JoinToken token = 1) { core.multicast(uuid("log"), log, Valid{token}, now, effects); }
    void advance(std::chrono::nanoseconds time) {
        now += time;
        core.on_timer(now, effects);
    }
    std::string counter(std::string_view name) const {
        for (const auto& [field, value] : core.status().fields)
            if (field == name) return value;
        return "none";
    }

    TimePoint now;
    Core::Effects effects;
    Core core{SendQueueLimits{.frames_max = 3, .bytes_max = 4096}};
};

TEST_F(ClusterGatewayCoreTest, a_join_opens_joins_and_tells_membership_then_quorum) {
    connect();
    EXPECT_EQ(take(), (Words{"open quorum"}));
    core.join(uuid("log"), 7, now, effects);
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
    core.join(uuid("log"), 7, now, effects);
    EXPECT_EQ(take(), Words{});
}

TEST_F(ClusterGatewayCoreTest, a_join_that_has_to_try_again_does) {
    connect();
    core.join(uuid("log"), 7, now, effects);
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
    core.join(uuid("log"), 8, now, effects);
    core.join(uuid("another"), 9, now, effects);
    EXPECT_EQ(take(), (Words{"leave 1", "open 3"}));
    core.on_membership(1, {self, {}, {{self, ChangeReason::leave}}, {}}, now, effects);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 out", "release 7", "open 2"}));
}

TEST_F(ClusterGatewayCoreTest, the_same_log_may_leave_and_join_again) {
    connect();
    enter(7, 1);
    core.leave(uuid("log"), 7, now, effects);
    core.join(uuid("log"), 7, now, effects);
    EXPECT_EQ(take(), (Words{"leave 1"}));
    core.on_membership(1, {self, {}, {{self, ChangeReason::leave}}, {}}, now, effects);
    EXPECT_EQ(take(), (Words{"close 1", "tell 7 out", "open 2"}));
}

TEST_F(ClusterGatewayCoreTest, a_leave_before_the_membership_leaves_after_it) {
    connect();
    core.join(uuid("log"), 7, now, effects);
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

TEST_F(ClusterGatewayCoreTest, a_log_that_is_gone_leaves) {
    connect();
    enter(7, 1);
    core.on_log_gone(7, now, effects);
    EXPECT_EQ(take(), (Words{"leave 1"}));
}

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

TEST_F(ClusterGatewayCoreTest, a_loss_completes_a_leave) {
    connect();
    enter(7, 1);
    core.leave(uuid("log"), 7, now, effects);
    core.join(uuid("log"), 8, now, effects);
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
    core.join(uuid("log"), 8, now, effects);
    core.shut_down(effects);
    EXPECT_EQ(take(),
              (Words{"leave 1", "close 1", "tell 7 out", "release 7", "tell 8 out", "release 8", "close quorum"}));
    EXPECT_EQ(core.next_due(), std::nullopt);
}

}  // namespace
}  // namespace cmirror
