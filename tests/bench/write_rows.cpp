#include <deque>

#include "tests/bench/rows.hpp"

namespace cmirror::bench {
namespace {

void first_writes(BenchCluster& cluster, Report& report, const std::string& what, const Log& log) {
    Times bare;
    Times ours;
    Scattered regions{4000};
    for (int block = 0; block < 30; ++block) {
        cluster.rounds(log.node, 20, bare);
        for (int i = 0; i < 20; ++i) {
            const RegionNumber region = regions.next();
            timed(ours, [&] { first_write(cluster, log, region); });
            end_write(cluster, log, region);
        }
    }
    report.ratio(what, ours.at(0.5), bare.at(0.5), 2.2);
    Times echo;
    cluster.echoes(log.node, log.node == 1 ? 2 : 1, 300, echo);
    Report::note("    200 bytes there and back by bare members", echo.at(0.5) / bare.at(0.5), "");
}

/// A kernel's worker: one write after the other, at random.
class RandomWriter {
  public:
    RandomWriter(BenchCluster& cluster, const Log& log, std::uint64_t seed)
        : cluster_(cluster), log_(log), random_(seed) {}

    void go_on() {
        random_ = random_ * 6364136223846793005U + 1442695040888963407U;
        const RegionList region = BenchCluster::list((random_ >> 33U) % regions);
        cluster_.ask(log_, RequestType::mark_region, region, [this, region](const Answer&) { flush(region); });
    }
    std::uint64_t writes() const { return writes_; }
    void stop() { stopped_ = true; }
    bool idle() const { return idle_; }

    static constexpr std::uint64_t regions = 4096;

  private:
    void flush(const RegionList& region) {
        cluster_.ask(log_, RequestType::flush, {}, [this, region](const Answer&) { clear(region); });
    }
    void clear(const RegionList& region) {
        ++writes_;
        cluster_.ask(log_, RequestType::clear_region, region, [this](const Answer&) {
            cluster_.ask(log_, RequestType::flush, {}, [this](const Answer&) {
                if (stopped_)
                    idle_ = true;
                else
                    go_on();
            });
        });
    }

    BenchCluster& cluster_;
    Log log_;
    std::uint64_t random_;
    std::uint64_t writes_ = 0;
    bool stopped_ = false, idle_ = false;
};

void many_writers(BenchCluster& cluster, Report& report) {
    constexpr auto time = std::chrono::seconds{5};
    constexpr int mirrors = 4;
    std::deque<RandomWriter> writers;
    std::vector<Log> logs;
    for (int mirror = 0; mirror < mirrors; ++mirror)
        for (const Log& log : cluster.create_everywhere("random" + std::to_string(mirror), RandomWriter::regions,
                                                        "clustered-core 1024 nosync"))
            logs.push_back(log);
    Times bare;
    cluster.rounds(1, 300, bare);
    for (const Log& log : logs)
        writers.emplace_back(cluster, log, writers.size() + 1);
    for (RandomWriter& writer : writers)
        writer.go_on();
    const auto begin = Clock::now();
    cluster.until([&] { return Clock::now() - begin >= time; });
    std::uint64_t writes = 0;
    for (RandomWriter& writer : writers) {
        writes += writer.writes();
        writer.stop();
    }
    cluster.until([&] { return std::ranges::all_of(writers, &RandomWriter::idle); });
    cluster.rounds(1, 300, bare);
    const double seconds = std::chrono::duration<double>(time).count();
    const double rounds = seconds * 1e6 / bare.at(0.5);
    report.at_least("4 mirrors x 3 nodes, 4096 regions: writes a round", static_cast<double>(writes) / rounds, "", 5);
    Report::note("    writes a second", static_cast<double>(writes) / seconds, "");
    Times loop;
    cluster.bare(1000, loop);
    Report::note("    a bare loop asked four times a write", bare.at(0.5) / loop.at(0.5) / 4, "");
    for (const Log& log : logs)
        cluster.destroy(log);
}

void stream(BenchCluster& cluster, Report& report) {
    const auto logs = cluster.create_everywhere("stream", 4000, "clustered-core 1024 nosync");
    Times bare_rounds;
    cluster.rounds(2, 200, bare_rounds);
    Times quick;
    for (int i = 0; i < 200; ++i)
        timed(quick, [&] { cluster.call(logs[1], RequestType::flush); });
    constexpr RegionNumber regions = 1000;
    double waited_us = 0;
    for (RegionNumber region = 0; region < regions; ++region) {
        cluster.call(logs[1], RequestType::mark_region, BenchCluster::list(region));
        Times flush;
        timed(flush, [&] { cluster.call(logs[1], RequestType::flush); });
        waited_us += std::max(flush.all.front() - quick.at(0.5), 0.0);
        end_write(cluster, logs[1], region);
    }
    report.at_most("stream of 1000 regions: rounds waited for, a region",
                   waited_us / bare_rounds.at(0.5) / static_cast<double>(regions), "", 0.1);
    for (const Log& log : logs)
        cluster.destroy(log);
}

}  // namespace

void measure_writes(BenchCluster& cluster, Report& report) {
    report.heading("writes; beside a bare round of 200 bytes");
    const auto logs = cluster.create_everywhere("first", 4000, "clustered-core 1024 nosync");
    first_writes(cluster, report, "first write (MARK, FLUSH), core log, from the server", logs[0]);
    first_writes(cluster, report, "first write (MARK, FLUSH), core log, from another node", logs[1]);
    for (const Log& log : logs)
        cluster.destroy(log);
    many_writers(cluster, report);
    stream(cluster, report);
}

}  // namespace cmirror::bench
