// The corosync adapter against a real corosync.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "adapters/cluster/corosync_group.hpp"
#include "adapters/cluster/corosync_provider.hpp"
#include "tests/cluster/corosync_cluster.hpp"
#include "tests/cluster/corosync_member.hpp"

namespace cmirror {
namespace {

using namespace test;

class OneNode : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        cluster = new test::CorosyncCluster{1};
        cluster->start_all();
    }
    static void TearDownTestSuite() {
        delete cluster;
        cluster = nullptr;
    }
    static Member joined(const std::string& group) {
        auto member = join(*cluster, 1, group);
        EXPECT_TRUE(member.sees_members(1));
        return member;
    }
    static inline test::CorosyncCluster* cluster = nullptr;
    const MemberId self{1, static_cast<std::uint32_t>(::getpid())};
};

TEST_F(OneNode, node_id_is_the_one_of_the_configuration) {
    cluster->enter(1);
    EXPECT_EQ(CorosyncProvider{}.local_node().value(), 1U);
}

TEST_F(OneNode, joiner_gets_a_membership_with_itself) {
    auto member = joined("a");
    ASSERT_EQ(member.seen.changes.size(), 1U);
    const auto& change = member.seen.changes[0];
    EXPECT_EQ(change.self, self);
    EXPECT_EQ(change.members, (std::vector<MemberId>{self}));
    EXPECT_EQ(change.joined, (std::vector<MemberChange>{{self, ChangeReason::join}}));
    EXPECT_TRUE(change.left.empty());
}

TEST_F(OneNode, own_messages_come_back_in_order) {
    auto member = joined("b");
    for (int i = 0; i < 10; ++i)
        ASSERT_EQ(member.say(std::to_string(i)), ClusterCall::done);
    ASSERT_TRUE(member.sees_messages(10));
    EXPECT_EQ(member.seen.messages[9], "9");
}

TEST_F(OneNode, group_that_was_left_is_joined_again_by_a_new_connection) {
    auto member = joined("c");
    ASSERT_EQ(member.connection->leave(), ClusterCall::done);
    EXPECT_EQ(member.say("x"), ClusterCall::refused);
    ASSERT_TRUE(member.sees_members(0));
    EXPECT_EQ(member.seen.changes.back().left, (std::vector<MemberChange>{{self, ChangeReason::leave}}));
    EXPECT_EQ(member.connection->join(uuid("c")), ClusterCall::refused);
    auto second = CorosyncProvider{}.open_group();
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ((*second)->join(uuid("c")), ClusterCall::refused);
    member.connection.reset();
    EXPECT_EQ((*second)->join(uuid("c")), ClusterCall::done);
}

TEST_F(OneNode, process_is_in_a_group_once) {
    auto member = joined("d");
    auto second = CorosyncProvider{}.open_group();
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ((*second)->join(uuid("d")), ClusterCall::refused);
    EXPECT_EQ((*second)->join(uuid("d2")), ClusterCall::done);
}

TEST_F(OneNode, group_name_has_room_for_127_characters_and_their_nul) {
    cluster->enter(1);
    auto connection = CorosyncProvider{}.open_group();
    ASSERT_TRUE(connection.has_value());
    EXPECT_EQ((*connection)->join(uuid(std::string(128, 'u'))), ClusterCall::refused);
    EXPECT_EQ((*connection)->join(uuid(std::string(127, 'u'))), ClusterCall::done);
}

TEST_F(OneNode, largest_frame_travels_in_one_piece_and_a_larger_one_is_refused) {
    auto member = joined("e");
    const auto size_max = static_cast<CorosyncGroup&>(*member.connection).frame_size_max();
    EXPECT_GE(size_max, 64U * 1024);
    EXPECT_EQ(member.say(std::string(size_max + 1, 'x')), ClusterCall::refused);
    ASSERT_EQ(member.say(std::string(size_max, 'y')), ClusterCall::done);
    ASSERT_TRUE(member.sees_messages(1));
    EXPECT_EQ(member.seen.messages[0].size(), size_max);
}

TEST_F(OneNode, dispatch_hands_over_no_more_than_asked_for) {
    auto member = joined("f");
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(member.say("m"), ClusterCall::done);
    bool more = false;
    while (member.seen.messages.empty()) {
        ASSERT_TRUE(becomes_readable(member.connection->descriptor()));
        ASSERT_EQ(member.connection->dispatch(member.seen, 1, more), ClusterCall::done);
    }
    EXPECT_EQ(member.seen.messages.size(), 1U);
    EXPECT_TRUE(more);
    ASSERT_TRUE(member.sees_messages(3));
    bool none = true;
    EXPECT_EQ(member.connection->dispatch(member.seen, 16, none), ClusterCall::done);
    EXPECT_FALSE(none);
}

TEST_F(OneNode, flow_control_says_try_again_and_loses_nothing) {
    auto member = joined("g");
    const std::string frame(100'000, 'z');
    std::size_t accepted = 0;
    // Nobody dispatches: corosync's queues fill up.
    while (accepted < 10'000 && member.say(frame) == ClusterCall::done)
        ++accepted;
    ASSERT_LT(accepted, 10'000U);
    EXPECT_EQ(member.say(frame), ClusterCall::try_again);
    EXPECT_TRUE(member.sees_messages(accepted));
    auto outcome = ClusterCall::try_again;
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (outcome == ClusterCall::try_again && std::chrono::steady_clock::now() < end)
        outcome = member.say("last");
    ASSERT_EQ(outcome, ClusterCall::done);
    ASSERT_TRUE(member.sees_messages(accepted + 1));
    EXPECT_EQ(member.seen.messages.back(), "last");
}

TEST_F(OneNode, quorum_service_tells_the_present_view) {
    cluster->enter(1);
    auto quorum = CorosyncProvider{}.open_quorum();
    ASSERT_TRUE(quorum.has_value()) << quorum.error();
    auto call = ClusterCall::lost;
    ASSERT_TRUE(becomes_readable((*quorum)->descriptor()));
    const auto views = (*quorum)->dispatch(call);
    EXPECT_EQ(call, ClusterCall::done);
    ASSERT_EQ(views.size(), 1U);
    EXPECT_TRUE(views[0].quorate);
    EXPECT_EQ(views[0].nodes, (std::vector<NodeId>{1}));
    EXPECT_NE(views[0].ring, 0U);
    EXPECT_TRUE((*quorum)->dispatch(call).empty());
    EXPECT_EQ(call, ClusterCall::done);
}

TEST_F(OneNode, corosync_that_goes_away_is_lost_and_found_again) {
    auto member = joined("h");
    auto quorum = CorosyncProvider{}.open_quorum();
    ASSERT_TRUE(quorum.has_value());
    cluster->kill(1);
    bool more = true;
    ASSERT_TRUE(becomes_readable(member.connection->descriptor()));
    EXPECT_EQ(member.connection->dispatch(member.seen, 16, more), ClusterCall::lost);
    EXPECT_EQ(member.say("x"), ClusterCall::lost);
    ASSERT_TRUE(becomes_readable((*quorum)->descriptor()));
    auto call = ClusterCall::done;
    for (int i = 0; i < 2 && call != ClusterCall::lost; ++i)
        (*quorum)->dispatch(call);
    EXPECT_EQ(call, ClusterCall::lost);
    const auto refused = CorosyncProvider{}.open_group();
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().find("start corosync.service"), std::string::npos) << refused.error();
    EXPECT_FALSE(CorosyncProvider{}.open_quorum().has_value());
    EXPECT_FALSE(CorosyncProvider{}.local_node().has_value());
    cluster->start(1);
    auto again = joined("h");
    EXPECT_EQ(again.say("y"), ClusterCall::done);
    EXPECT_TRUE(again.sees_messages(1));
}

}  // namespace
}  // namespace cmirror

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    cmirror::test::enter_private_namespaces();
    return RUN_ALL_TESTS();
}
