// Daemons killed and started again while mirrors are written to: no write fails, nothing is resynchronised, and no
// write waits for long.
#include <chrono>
#include <memory>
#include <ostream>

#include "tests/cluster/loop_device.hpp"
#include "tests/cluster/three_daemons.hpp"

namespace cmirror::test {
namespace {

using namespace std::chrono_literals;

/// What a restart may cost a writer. The kernel pauses for 2 s before it creates a log again.
constexpr auto stall_max = 5s;
/// The service manager's RestartSec.
constexpr auto restart_pause = 1s;

struct Case {
    friend void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }
    const char* name;
    bool disk;
    NodeId nodes;
};

struct Restart : ::testing::TestWithParam<Case> {
    std::unique_ptr<LoopDevice> device;
    std::unique_ptr<DaemonCluster> cluster;
    std::vector<NodeId> nodes;

    void SetUp() override {
        std::string log = "clustered-core";
        if (GetParam().disk) {
            device = std::make_unique<LoopDevice>(std::uint64_t{1} << 20U);
            log = "clustered-disk " + device->number;
        }
        cluster = std::make_unique<DaemonCluster>(log, GetParam().nodes);
        for (NodeId id = 1; id <= GetParam().nodes; ++id)
            nodes.push_back(id);
        cluster->create_all();
        for (const NodeId id : nodes)
            cluster->recover(id);
        ASSERT_TRUE(cluster->until_in_sync()) << cluster->report();
        ASSERT_TRUE(cluster->until_idle()) << cluster->report();
        for (const NodeId id : nodes)
            for (RegionNumber writer = 0; writer < 3; ++writer)
                cluster->write(id, id - 1 + writer * 21);
        ASSERT_TRUE(cluster->until_more_writes(50, nodes)) << cluster->report();
    }
    void restart(const std::vector<NodeId>& victims, std::chrono::milliseconds pause) {
        for (const NodeId id : nodes)
            cluster->longest_pause(id);
        for (const NodeId id : victims)
            cluster->kill_daemon(id);
        const auto end = KernelStandIn::Clock::now() + pause;
        ASSERT_TRUE(cluster->until([end] { return KernelStandIn::Clock::now() >= end; }));
        for (const NodeId id : victims)
            cluster->start_daemon(id);
        ASSERT_TRUE(cluster->until_more_writes(100, nodes)) << cluster->report();
        auto longest = KernelStandIn::Clock::duration{0};
        for (const NodeId id : nodes)
            longest = std::max(longest, cluster->longest_pause(id));
        EXPECT_LT(longest, stall_max) << cluster->report();
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(longest).count();
        worst_ms = std::max(worst_ms, ms);
        for (const NodeId id : victims)
            EXPECT_EQ(cluster->kernel(id).counters().resent, 0U) << "the kernel had to wait" << cluster->report();
    }
    std::int64_t worst_ms = 0;
};

TEST_P(Restart, every_daemon_in_turn_under_load) {
    for (const NodeId id : nodes)
        for (const auto pause : {0ms, std::chrono::milliseconds{restart_pause}})
            ASSERT_NO_FATAL_FAILURE(restart({id}, pause));
    RecordProperty("longest_stall_ms", std::to_string(worst_ms));
    std::printf("longest stall: %lld ms\n", static_cast<long long>(worst_ms));
    cluster->stop();
    ASSERT_TRUE(cluster->until_idle()) << cluster->report();
    EXPECT_TRUE(cluster->until_in_sync()) << "nothing is resynchronised for it" << cluster->report();
    ASSERT_TRUE(cluster->until_equal()) << cluster->report();
    EXPECT_TRUE(cluster->rules.broken.empty()) << cluster->report();
    for (const NodeId id : nodes)
        EXPECT_EQ(cluster->kernel(id).counters().unknown_replies, 0U) << cluster->report();
}

INSTANTIATE_TEST_SUITE_P(Logs, Restart,
                         ::testing::Values(Case{"core_log_on_one_node", false, 1}, Case{"core_log_on_three", false, 3},
                                           Case{"disk_log_on_one_node", true, 1}, Case{"disk_log_on_three", true, 3}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace cmirror::test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    cmirror::test::enter_private_namespaces();
    return RUN_ALL_TESTS();
}
