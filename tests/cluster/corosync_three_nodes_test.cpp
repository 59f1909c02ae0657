// The corosync adapter against three real corosyncs on one network.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "adapters/cluster/corosync_provider.hpp"
#include "tests/cluster/corosync_cluster.hpp"
#include "tests/cluster/corosync_member.hpp"

namespace cmirror {
namespace {

using namespace test;

class ThreeNodes : public ::testing::Test {
  protected:
    ThreeNodes() {
        cluster.start_all();
        for (NodeId node = 1; node <= 3; ++node) {
            members.push_back(join(cluster, node, "log"));
            for (auto& member : members)
                EXPECT_TRUE(member.sees_members(node));
        }
    }
    MemberId id(NodeId node) const { return {node, static_cast<std::uint32_t>(::getpid())}; }

    test::CorosyncCluster cluster{3};
    std::vector<Member> members;
};

TEST_F(ThreeNodes, all_deliver_the_same_order) {
    for (int i = 0; i < 10; ++i)
        for (std::size_t n = 0; n < 3; ++n)
            ASSERT_EQ(members[n].say(std::to_string(n) + "/" + std::to_string(i)), ClusterCall::done);
    for (auto& member : members)
        ASSERT_TRUE(member.sees_messages(30));
    EXPECT_EQ(members[0].seen.messages, members[1].seen.messages);
    EXPECT_EQ(members[0].seen.messages, members[2].seen.messages);
}

TEST_F(ThreeNodes, lost_corosync_is_a_lost_node_and_an_ended_process_is_not) {
    cluster.kill(3);
    ASSERT_TRUE(members[0].sees_members(2));
    EXPECT_EQ(members[0].seen.changes.back().left, (std::vector<MemberChange>{{id(3), ChangeReason::node_down}}));
    members[1].connection.reset();
    ASSERT_TRUE(members[0].sees_members(1));
    EXPECT_EQ(members[0].seen.changes.back().left, (std::vector<MemberChange>{{id(2), ChangeReason::process_down}}));
}

TEST_F(ThreeNodes, node_that_is_cut_off_loses_quorum_and_comes_back_with_its_members) {
    cluster.enter(3);
    auto quorum = CorosyncProvider{}.open_quorum();
    ASSERT_TRUE(quorum.has_value()) << quorum.error();
    const auto until = [&](bool quorate) {
        for (;;) {
            auto call = ClusterCall::done;
            const auto views = (*quorum)->dispatch(call);
            if (call != ClusterCall::done) return false;
            if (!views.empty() && views.back().quorate == quorate) return true;
            if (!becomes_readable((*quorum)->descriptor())) return false;
        }
    };
    ASSERT_TRUE(until(true));
    cluster.disconnect(3);
    EXPECT_TRUE(until(false));
    ASSERT_TRUE(members[2].sees_members(1));
    EXPECT_EQ(members[2].seen.changes.back().left.size(), 2U);
    ASSERT_TRUE(members[0].sees_members(2));
    cluster.connect(3);
    EXPECT_TRUE(until(true));
    ASSERT_TRUE(members[0].sees_members(3));
    EXPECT_EQ(members[0].seen.changes.back().joined, (std::vector<MemberChange>{{id(3), ChangeReason::node_up}}));
    ASSERT_TRUE(members[2].sees_members(3));
}

TEST_F(ThreeNodes, daemon_that_was_stopped_while_its_node_was_cut_off_hears_that_quorum_was_lost) {
    cluster.enter(3);
    auto quorum = CorosyncProvider{}.open_quorum();
    ASSERT_TRUE(quorum.has_value()) << quorum.error();
    cluster.disconnect(3);
    ASSERT_TRUE(members[2].sees_members(1));
    ASSERT_TRUE(members[0].sees_members(2));
    cluster.connect(3);
    ASSERT_TRUE(members[0].sees_members(3));
    ASSERT_TRUE(members[2].sees_members(3));
    std::vector<QuorumView> views;
    while (views.size() < 2 || !views.back().quorate) {
        ASSERT_TRUE(becomes_readable((*quorum)->descriptor()));
        auto call = ClusterCall::lost;
        for (auto& view : (*quorum)->dispatch(call))
            views.push_back(std::move(view));
        ASSERT_EQ(call, ClusterCall::done);
    }
    EXPECT_TRUE(views.front().quorate);
    EXPECT_TRUE(std::any_of(views.begin(), views.end(), [](const QuorumView& view) { return !view.quorate; }));
}

}  // namespace
}  // namespace cmirror

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    cmirror::test::enter_private_namespaces();
    return RUN_ALL_TESTS();
}
