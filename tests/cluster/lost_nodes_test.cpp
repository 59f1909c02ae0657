// corosync paused, stopped everywhere, lost on two nodes, cut into parts: nothing wrong, nothing hung once it is back,
// and a few clear lines in each daemon's log.
#include <algorithm>
#include <array>
#include <csignal>

#include "tests/cluster/loop_device.hpp"
#include "tests/cluster/three_daemons.hpp"

namespace cmirror::test {
namespace {

/// Lines of one daemon that one event may cost: what is lost, that it is back, and the joins that follow.
constexpr std::size_t lines_max = 12;

struct LostNodes : ThreeDaemons {
    using ThreeDaemons::ThreeDaemons;

    std::array<std::size_t, DaemonCluster::node_count + 1> from{};

    void begin_event() {
        for (const NodeId id : {1U, 2U, 3U})
            from[id] = cluster.said(id);
    }
    /// The daemon has said this, and not much beside it, since the event began.
    void expect_told(NodeId id, const std::string& what, std::size_t times_max = 1) {
        const auto lines = cluster.lines_since(id, from[id]);
        const auto told =
            std::ranges::count_if(lines, [&](const auto& line) { return line.find(what) != std::string::npos; });
        EXPECT_GE(told, 1) << "node " << id << " does not tell that " << what << "\n" << cluster.report();
        EXPECT_LE(static_cast<std::size_t>(told), times_max) << "node " << id << ": " << what << cluster.report();
    }
    /// Snapshots that the test asked for do not count.
    void expect_no_flood(std::size_t max = lines_max) {
        for (const NodeId id : {1U, 2U, 3U}) {
            const auto lines = cluster.lines_since(id, from[id]);
            const auto count = std::ranges::count_if(
                lines, [](const std::string& line) { return line.find(" info ") == std::string::npos; });
            EXPECT_LE(static_cast<std::size_t>(count), max) << "node " << id << "\n" << cluster.report();
        }
    }
    bool until_told(NodeId id, const std::string& what) {
        return cluster.until([&] {
            const auto lines = cluster.lines_since(id, from[id]);
            return std::ranges::any_of(lines, [&](const auto& l) { return l.find(what) != std::string::npos; });
        });
    }
    /// All write again, and have the same state.
    void goes_on() {
        ASSERT_TRUE(cluster.until_more_writes(20, {1, 2, 3})) << cluster.report();
        ASSERT_TRUE(until_all_are_members()) << cluster.report();
    }
    bool until_all_are_members() {
        return cluster.until([&] {
            for (const NodeId id : {1U, 2U, 3U}) {
                const auto seen = cluster.snapshot(id);
                if (!seen || seen->state != "active" || seen->quorum != "YES" || seen->members != 3) return false;
            }
            return true;
        });
    }
    /// Every member that had the state may be gone with its marks: all is copied again.
    void recovers_and_goes_on() {
        for (const NodeId id : {1U, 2U, 3U})
            cluster.recover(id);
        goes_on();
        ASSERT_TRUE(cluster.until_in_sync()) << cluster.report();
    }
    /// Nothing is copied again for it.
    void expect_well_and_in_sync() {
        expect_well();
        EXPECT_TRUE(cluster.until_in_sync()) << "nothing is resynchronised for it" << cluster.report();
    }
};

TEST_F(LostNodes, corosync_that_is_paused_for_longer_than_its_token) {
    start_in_sync();
    start_writing();
    for (const NodeId victim : {2U, 1U}) {
        begin_event();
        const NodeId other = victim == 1 ? 2 : 1;
        cluster.corosync().pause(victim);
        ASSERT_TRUE(until_told(other, "node " + std::to_string(victim) + " is lost")) << cluster.report();
        ASSERT_TRUE(cluster.until_more_writes(20, {other, 3})) << cluster.report();
        // Its daemon neither hangs nor takes it for the loss of its cluster.
        EXPECT_TRUE(cluster.ask(victim, RequestType::in_sync, RegionNumber{63}));
        cluster.corosync().resume(victim);
        goes_on();
        expect_told(other, "node " + std::to_string(victim) + " is lost");
        expect_no_flood();
    }
    expect_well_and_in_sync();
}

struct WholeCluster : LostNodes {
    using Order = std::array<NodeId, 3>;
    using LostNodes::LostNodes;

    void stop_and_start(const Order& stop, const Order& start) {
        begin_event();
        for (const NodeId id : stop)
            cluster.corosync().stop(id);
        for (const NodeId id : stop)
            ASSERT_TRUE(until_told(id, "corosync is gone")) << cluster.report();
        for (const NodeId id : start)
            cluster.corosync().start(id);
        recovers_and_goes_on();
        for (const NodeId id : {1U, 2U, 3U}) {
            expect_told(id, "corosync is gone");
            expect_told(id, "connected to corosync again");
            EXPECT_EQ(cluster.kernel(id).counters().reconnects, 0U) << "its daemon lives";
        }
        expect_no_flood(3 * lines_max);
    }
};

TEST_F(WholeCluster, stopped_and_started_in_every_order) {
    start_in_sync();
    start_writing();
    Order stop{1, 2, 3};
    do {
        Order start{1, 2, 3};
        do {
            ASSERT_NO_FATAL_FAILURE(stop_and_start(stop, start));
        } while (std::ranges::next_permutation(start).found);
    } while (std::ranges::next_permutation(stop).found);
    expect_well();
}

struct WithLogDevice {
    LoopDevice device{std::uint64_t{1} << 20U};
};

struct WholeClusterOnDisk : WithLogDevice, WholeCluster {
    WholeClusterOnDisk() : WholeCluster("clustered-disk " + device.number) {}
};

// The first to end is the first to come back: what it knows is the oldest.
TEST_F(WholeClusterOnDisk, stopped_and_started_in_the_same_order) {
    start_in_sync();
    start_writing();
    Order order{1, 2, 3};
    do {
        ASSERT_NO_FATAL_FAILURE(stop_and_start(order, order));
    } while (std::ranges::next_permutation(order).found);
    expect_well();
}

TEST_F(LostNodes, two_nodes_lost_at_once) {
    start_in_sync();
    start_writing();
    begin_event();
    cluster.corosync().kill(1);
    cluster.corosync().kill(2);
    for (const NodeId id : {1U, 2U})
        cluster.kill_daemon(id);
    ASSERT_TRUE(until_told(3, "node 1 is lost")) << cluster.report();
    ASSERT_TRUE(until_told(3, "node 2 is lost")) << cluster.report();
    const auto mark = expect_marks_wait(3);
    for (const NodeId id : {1U, 2U}) {
        cluster.corosync().start(id);
        cluster.start_daemon(id);
    }
    // The two that were lost may have been a quorum by themselves: what they wrote nobody knows any more.
    recovers_and_goes_on();
    expect_durable(mark);
    expect_told(3, "node 1 is lost");
    expect_no_flood(2 * lines_max);
    expect_well();
}

TEST_F(LostNodes, partition_into_two_and_one_that_heals) {
    start_in_sync();
    start_writing();
    begin_event();
    cluster.corosync().disconnect(1);
    ASSERT_TRUE(until_told(2, "node 1 is lost")) << cluster.report();
    ASSERT_TRUE(until_told(1, "node 2 is lost")) << cluster.report();
    ASSERT_TRUE(cluster.until_more_writes(50, {2, 3})) << cluster.report();
    cluster.corosync().connect(1);
    goes_on();
    expect_told(2, "node 1 is lost");
    expect_told(1, "node 2 is lost");
    expect_no_flood();
    expect_well_and_in_sync();
}

TEST_F(LostNodes, all_three_apart) {
    start_in_sync();
    start_writing();
    begin_event();
    for (const NodeId id : {1U, 2U, 3U})
        cluster.corosync().disconnect(id);
    for (const NodeId id : {1U, 2U, 3U})
        ASSERT_TRUE(until_told(id, "node " + std::to_string(id % 3 + 1) + " is lost")) << cluster.report();
    std::vector<std::shared_ptr<const bool>> marks;
    for (const NodeId id : {1U, 2U, 3U})
        marks.push_back(expect_marks_wait(id));
    for (const NodeId id : {2U, 3U, 1U})
        cluster.corosync().connect(id);
    // Which of them came together first decides whether the third may have written with a quorum meanwhile.
    recovers_and_goes_on();
    for (const auto& mark : marks)
        expect_durable(mark);
    expect_no_flood(2 * lines_max);
    expect_well();
}

}  // namespace
}  // namespace cmirror::test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    cmirror::test::enter_private_namespaces();
    return RUN_ALL_TESTS();
}
