// How tests of three daemons begin and end.
#pragma once

#include <gtest/gtest.h>

#include "tests/cluster/daemon_cluster.hpp"

namespace cmirror::test {

struct ThreeDaemons : ::testing::Test {
    DaemonCluster cluster;

    explicit ThreeDaemons(const std::string& log = "clustered-core") : cluster(log) {}

    void start_in_sync() {
        cluster.create_all();
        for (const NodeId id : {1U, 2U, 3U})
            cluster.recover(id);
        ASSERT_TRUE(cluster.until_in_sync()) << cluster.report();
        ASSERT_TRUE(cluster.until_idle()) << cluster.report();
    }
    void start_writing() {
        for (const NodeId id : {1U, 2U, 3U})
            cluster.write(id, id - 1);
        ASSERT_TRUE(cluster.until_more_writes(20, {1, 2, 3})) << cluster.report();
    }
    /// Questions are answered, and a mark is not durable: it waits until the returned word is true. Not by waiting: the
    /// daemon takes requests in order.
    std::shared_ptr<const bool> expect_marks_wait(NodeId id) {
        auto durable = cluster.mark_once(id, written_by_another(id));
        EXPECT_TRUE(cluster.ask(id, RequestType::in_sync, written_by_another(id))) << cluster.report();
        EXPECT_FALSE(*durable) << "node " << id << cluster.report();
        return durable;
    }
    void expect_durable(const std::shared_ptr<const bool>& mark) {
        EXPECT_TRUE(cluster.until([&] { return *mark; })) << cluster.report();
    }
    /// A region that start_writing() has another node write.
    static RegionNumber written_by_another(NodeId id) { return id % DaemonCluster::node_count; }
    /// The end of every test: all go on, then all is quiet, equal, and every answer was right and came once.
    void expect_well() {
        ASSERT_TRUE(cluster.until_more_writes(20, {1, 2, 3})) << cluster.report();
        cluster.stop();
        ASSERT_TRUE(cluster.until_idle()) << cluster.report();
        ASSERT_TRUE(cluster.until_equal()) << cluster.report();
        EXPECT_TRUE(cluster.rules.broken.empty()) << cluster.report();
        for (const NodeId id : {1U, 2U, 3U}) {
            EXPECT_EQ(cluster.kernel(id).counters().unknown_replies, 0U) << cluster.report();
            EXPECT_EQ(cluster.kernel(id).counters().repeated_replies, 0U) << cluster.report();
        }
    }
};

}  // namespace cmirror::test
