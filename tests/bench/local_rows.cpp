#include <sys/prctl.h>
#include <time.h>

#include "tests/bench/rows.hpp"

namespace cmirror::bench {
namespace {

constexpr int blocks = 9;
constexpr int per_block = 400;

/// Measured in turns with the bare loop, so that the machine's moods hit both.
void compare(BenchCluster& cluster, Report& report, const std::string& what, double goal, int requests,
             const std::function<void()>& act) {
    Times bare;
    Times ours;
    for (int block = 0; block < blocks; ++block) {
        cluster.bare(per_block, bare);
        for (int i = 0; i < per_block / requests; ++i)
            timed(ours, act);
    }
    report.ratio(what, ours.at(0.5), bare.at(0.5), goal);
}

void with_gaps(BenchCluster& cluster, Report& report, const std::string& what, const Log& log) {
    constexpr timespec gap{0, 200'000};
    Times bare;
    Times ours;
    for (int i = 0; i < 1500; ++i) {
        ::clock_nanosleep(CLOCK_MONOTONIC, 0, &gap, nullptr);
        cluster.bare(1, bare);
        ::clock_nanosleep(CLOCK_MONOTONIC, 0, &gap, nullptr);
        timed(ours, [&] { cluster.call(log, RequestType::in_sync, RegionNumber{5}); });
    }
    report.ratio(what, ours.at(0.5), bare.at(0.5), 2.0);
}

}  // namespace

void measure_local_requests(BenchCluster& cluster, Report& report) {
    ::prctl(PR_SET_TIMERSLACK, 1000UL);
    report.heading("no other node is asked; beside a bare loop");
    const auto logs = cluster.create_everywhere("local", 4000, "clustered-core 1024 nosync");
    for (const Log& log : logs) {
        const std::string node = ", node " + std::to_string(log.node);
        compare(cluster, report, "IN_SYNC, closed loop" + node, 1.5, 1,
                [&] { cluster.call(log, RequestType::in_sync, RegionNumber{5}); });
        with_gaps(cluster, report, "IN_SYNC, gaps of 200 us" + node, log);
        compare(cluster, report, "IS_REMOTE_RECOVERING" + node, 2, 1,
                [&] { cluster.call(log, RequestType::is_remote_recovering, RegionNumber{5}); });
        compare(cluster, report, "STATUS_INFO" + node, 2, 1, [&] { cluster.call(log, RequestType::status_info); });
        compare(cluster, report, "lone FLUSH" + node, 2, 1, [&] { cluster.call(log, RequestType::flush); });
        RegionNumber turn = 0;
        // Not next to each other: these are no stream.
        const auto write_again = [&] {
            const RegionNumber region = turn++ % 16 * 3;
            first_write(cluster, log, region);
            end_write(cluster, log, region);
        };
        for (int i = 0; i < 16; ++i)
            write_again();
        compare(cluster, report, "write again to 16 regions (4 requests)" + node, 6, 4, write_again);
    }
    for (const Log& log : logs)
        cluster.destroy(log);
}

}  // namespace cmirror::bench
