// The fake cluster behaves as corosync does, and its faults do what they say.
#include "adapters/cluster/fake_cluster.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace cmirror {
namespace {

struct Recorder final : GroupEvents {
    std::vector<std::string> lines;
    std::vector<Membership> changes;

    void delivered(MemberId sender, std::span<const std::byte> frame) override {
        lines.push_back(std::to_string(sender.node) + ":" +
                        std::string(reinterpret_cast<const char*>(frame.data()), frame.size()));
    }
    void changed(Membership membership) override {
        std::string line = "members";
        for (const auto& member : membership.members)
            line += " " + std::to_string(member.node);
        lines.push_back(line);
        changes.push_back(std::move(membership));
    }
};

class FakeClusterTests : public ::testing::Test {
  protected:
    FakeClusterTests() {
        for (const NodeId node : {1U, 2U, 3U})
            cluster.add_node(node);
    }

    GroupConnection& join(NodeId node) {
        auto opened = cluster.provider(node, node * 100)->open_group();
        EXPECT_TRUE(opened.has_value());
        connections[node] = std::move(*opened);
        EXPECT_EQ(connections[node]->join(group), ClusterCall::done);
        return *connections[node];
    }
    void join_all() {
        for (const NodeId node : {1U, 2U, 3U})
            join(node);
        for (const NodeId node : {1U, 2U, 3U})
            read(node);
    }
    ClusterCall say(NodeId node, const std::string& text) {
        return connections.at(node)->multicast(std::as_bytes(std::span{text}));
    }
    Recorder read(NodeId node) {
        Recorder recorder;
        bool more = true;
        while (more && connections.at(node)->dispatch(recorder, 1, more) == ClusterCall::done) {
        }
        return recorder;
    }

    using Lines = std::vector<std::string>;
    FakeDescriptors descriptors;
    FakeCluster cluster{descriptors};
    Uuid group = *Uuid::from_text("log");
    std::map<NodeId, std::unique_ptr<GroupConnection>> connections;
};

TEST_F(FakeClusterTests, joiner_sees_itself_and_those_before) {
    join(1);
    join(2);
    EXPECT_EQ(read(1).lines, (Lines{"members 1", "members 1 2"}));
    const auto second = read(2);
    EXPECT_EQ(second.lines, (Lines{"members 1 2"}));
    EXPECT_EQ(second.changes[0].self, (MemberId{2, 200}));
    EXPECT_EQ(second.changes[0].joined, (std::vector<MemberChange>{{{2, 200}, ChangeReason::join}}));
}

TEST_F(FakeClusterTests, descriptor_is_readable_while_events_wait) {
    auto& connection = join(1);
    EXPECT_TRUE(descriptors.is_readable(connection.descriptor()));
    read(1);
    EXPECT_FALSE(descriptors.is_readable(connection.descriptor()));
}

TEST_F(FakeClusterTests, all_members_deliver_in_the_order_that_was_chosen) {
    join_all();
    cluster.set_automatic(false);
    say(1, "a");
    say(2, "b");
    EXPECT_EQ(cluster.nodes_to_order(), (std::vector<NodeId>{1, 2}));
    cluster.order_next(2);
    cluster.order_next(1);
    for (const NodeId node : {1U, 2U, 3U}) {
        EXPECT_TRUE(read(node).lines.empty());
        EXPECT_TRUE(cluster.deliver_next(node));
        EXPECT_TRUE(cluster.deliver_next(node));
        EXPECT_FALSE(cluster.deliver_next(node));
        EXPECT_EQ(read(node).lines, (Lines{"2:b", "1:a"}));
    }
}

TEST_F(FakeClusterTests, leave_is_delivered_to_the_one_who_left) {
    join_all();
    EXPECT_EQ(connections[2]->leave(), ClusterCall::done);
    EXPECT_EQ(say(2, "x"), ClusterCall::refused);
    const auto left = std::vector<MemberChange>{{{2, 200}, ChangeReason::leave}};
    EXPECT_EQ(read(2).changes.at(0).left, left);
    EXPECT_EQ(read(1).changes.at(0).left, left);
}

TEST_F(FakeClusterTests, group_that_was_left_is_joined_again_by_a_new_connection) {
    join_all();
    ASSERT_EQ(connections[2]->leave(), ClusterCall::done);
    read(2);
    EXPECT_EQ(connections[2]->join(group), ClusterCall::refused);
    auto second = cluster.provider(2, 200)->open_group();
    EXPECT_EQ((*second)->join(group), ClusterCall::refused);
    connections.erase(2);
    EXPECT_EQ((*second)->join(group), ClusterCall::done);
}

TEST_F(FakeClusterTests, connection_that_ends_without_leaving_is_a_process_that_died) {
    join_all();
    connections.erase(2);
    EXPECT_EQ(read(1).changes.at(0).left, (std::vector<MemberChange>{{{2, 200}, ChangeReason::process_down}}));
}

TEST_F(FakeClusterTests, lost_node_is_seen_and_its_connections_are_of_no_use) {
    join_all();
    cluster.lose_node(2);
    EXPECT_EQ(read(1).changes.at(0).left, (std::vector<MemberChange>{{{2, 200}, ChangeReason::node_down}}));
    EXPECT_EQ(say(2, "x"), ClusterCall::lost);
    EXPECT_TRUE(descriptors.is_readable(connections[2]->descriptor()));
    EXPECT_FALSE(cluster.provider(2, 200)->open_group().has_value());
    cluster.return_node(2);
    join(2);
    EXPECT_EQ(read(2).lines, (Lines{"members 1 2 3"}));
    EXPECT_EQ(read(1).lines, (Lines{"members 1 2 3"}));
}

TEST_F(FakeClusterTests, partitions_lose_each_other_and_meet_again) {
    join_all();
    cluster.partition({{1}});
    EXPECT_EQ(read(1).lines, (Lines{"members 1"}));
    EXPECT_EQ(read(2).lines, (Lines{"members 2 3"}));
    say(1, "alone");
    EXPECT_TRUE(read(2).lines.empty());
    cluster.merge();
    const auto met = read(2);
    EXPECT_EQ(met.lines, (Lines{"members 1 2 3"}));
    EXPECT_EQ(met.changes[0].joined, (std::vector<MemberChange>{{{1, 100}, ChangeReason::node_up}}));
    EXPECT_EQ(read(1).lines, (Lines{"1:alone", "members 1 2", "members 1 2 3"}));
}

TEST_F(FakeClusterTests, what_was_ordered_is_delivered_before_the_change) {
    join_all();
    cluster.set_automatic(false);
    say(1, "last words");
    cluster.order_next(1);
    cluster.lose_node(1);
    EXPECT_EQ(read(2).lines, (Lines{"1:last words", "members 2 3"}));
}

TEST_F(FakeClusterTests, delivery_to_oneself_proves_nothing_about_others) {
    join_all();
    cluster.set_automatic(false);
    say(1, "heard by nobody");
    cluster.order_next(1);
    cluster.deliver_next(1);
    cluster.next_change_loses(1);
    cluster.partition({{1}});
    EXPECT_EQ(read(1).lines, (Lines{"1:heard by nobody", "members 1"}));
    EXPECT_EQ(read(2).lines, (Lines{"members 2 3"}));
}

TEST_F(FakeClusterTests, what_one_survivor_has_delivered_all_deliver) {
    join_all();
    cluster.set_automatic(false);
    say(1, "x");
    cluster.order_next(1);
    cluster.deliver_next(2);
    cluster.next_change_loses(1);
    cluster.lose_node(1);
    EXPECT_EQ(read(3).lines, (Lines{"1:x", "members 2 3"}));
}

TEST_F(FakeClusterTests, flow_control_lasts_as_long_as_told) {
    join_all();
    cluster.try_again_for(1, 2);
    EXPECT_EQ(say(1, "x"), ClusterCall::try_again);
    EXPECT_EQ(say(1, "x"), ClusterCall::try_again);
    EXPECT_EQ(say(1, "x"), ClusterCall::done);
    EXPECT_EQ(read(2).lines, (Lines{"1:x"}));
}

TEST_F(FakeClusterTests, accepted_message_can_vanish) {
    join_all();
    cluster.lose_multicasts(1, 1);
    EXPECT_EQ(say(1, "x"), ClusterCall::done);
    EXPECT_EQ(say(1, "y"), ClusterCall::done);
    EXPECT_EQ(read(1).lines, (Lines{"1:y"}));
}

TEST_F(FakeClusterTests, process_is_in_a_group_once) {
    join(1);
    auto second = cluster.provider(1, 100)->open_group();
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ((*second)->join(group), ClusterCall::refused);
}

TEST_F(FakeClusterTests, uuid_of_128_characters_has_no_room_for_its_nul) {
    auto connection = cluster.provider(1, 100)->open_group();
    ASSERT_TRUE(connection.has_value());
    EXPECT_EQ((*connection)->join(*Uuid::from_text(std::string(128, 'u'))), ClusterCall::refused);
    EXPECT_EQ((*connection)->join(*Uuid::from_text(std::string(127, 'u'))), ClusterCall::done);
}

class FakeQuorumTests : public FakeClusterTests {
  protected:
    std::unique_ptr<QuorumConnection> open(NodeId node) {
        auto opened = cluster.provider(node, 1)->open_quorum();
        EXPECT_TRUE(opened.has_value());
        return std::move(*opened);
    }
    QuorumView newest(QuorumConnection& connection) {
        const auto views = connection.dispatch(call);
        EXPECT_FALSE(views.empty());
        return views.empty() ? QuorumView{} : views.back();
    }
    ClusterCall call = ClusterCall::lost;
};

TEST_F(FakeQuorumTests, majority_has_quorum_and_minority_has_none) {
    const auto one = open(1), two = open(2);
    EXPECT_TRUE(newest(*one).quorate);
    EXPECT_TRUE(newest(*two).quorate);
    cluster.partition({{1}});
    const auto minority = newest(*one);
    const auto majority = newest(*two);
    EXPECT_FALSE(minority.quorate);
    EXPECT_EQ(minority.nodes, (std::vector<NodeId>{1}));
    EXPECT_TRUE(majority.quorate);
    EXPECT_NE(majority.ring, minority.ring);
    EXPECT_TRUE(one->dispatch(call).empty());
    EXPECT_EQ(call, ClusterCall::done);
}

TEST_F(FakeQuorumTests, quorum_can_be_taken_and_held_back) {
    const auto one = open(1);
    one->dispatch(call);
    cluster.hold_quorum(1, true);
    cluster.force_quorum(false);
    EXPECT_FALSE(descriptors.is_readable(one->descriptor()));
    cluster.hold_quorum(1, false);
    EXPECT_FALSE(newest(*one).quorate);
}

TEST_F(FakeQuorumTests, no_view_is_missed) {
    const auto one = open(1);
    one->dispatch(call);
    cluster.partition({{1}});
    cluster.merge();
    const auto views = one->dispatch(call);
    ASSERT_EQ(views.size(), 2U);
    EXPECT_FALSE(views[0].quorate);
    EXPECT_TRUE(views[1].quorate);
}

TEST_F(FakeQuorumTests, connection_is_lost_with_its_node) {
    const auto one = open(1);
    cluster.lose_node(1);
    EXPECT_TRUE(one->dispatch(call).empty());
    EXPECT_EQ(call, ClusterCall::lost);
}

}  // namespace
}  // namespace cmirror
