// The rows of the table, by what they are about.
#pragma once

#include "tests/bench/bench_cluster.hpp"
#include "tests/bench/report.hpp"

namespace cmirror::bench {

/// Requests that need no other node, beside a bare loop.
void measure_local_requests(BenchCluster& cluster, Report& report);
/// Writes to regions that are not marked yet, and again and again, beside a bare round.
void measure_writes(BenchCluster& cluster, Report& report);
/// Regions recovered, by one node and by all.
void measure_resync(BenchCluster& cluster, Report& report);
/// What grows with the number of regions, and what must not.
void measure_large_logs(BenchCluster& cluster, Report& report);
/// Memory and processor time of daemons that nobody asks anything. To be given a cluster of its own.
void measure_idle(BenchCluster& cluster, Report& report);

/// Regions of a log in an order without streams: each once, until all were.
class Scattered {
  public:
    explicit Scattered(std::uint64_t regions) : regions_(regions) {}
    RegionNumber next() { return (++count_ * stride) % regions_; }

  private:
    /// A prime that divides none of the region counts here.
    static constexpr std::uint64_t stride = 7919;
    std::uint64_t regions_;
    std::uint64_t count_ = 0;
};

/// A write to an idle region, up to where the kernel lets the write go.
inline void first_write(BenchCluster& cluster, const Log& log, RegionNumber region) {
    cluster.call(log, RequestType::mark_region, BenchCluster::list(region));
    cluster.call(log, RequestType::flush);
}
/// What the kernel says when the write has ended.
inline void end_write(BenchCluster& cluster, const Log& log, RegionNumber region) {
    cluster.call(log, RequestType::clear_region, BenchCluster::list(region));
    cluster.call(log, RequestType::flush);
}

template <class Do>
void timed(Times& times, Do act) {
    const auto begin = Clock::now();
    act();
    times.add(Clock::now() - begin);
}

}  // namespace cmirror::bench
