// How tests of three daemons begin and end.
#pragma once

#include <gtest/gtest.h>

#include "tests/cluster/daemon_cluster.hpp"

namespace cmirror::test {

struct ThreeDaemons : ::testing::Test {
    DaemonCluster cluster;

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
