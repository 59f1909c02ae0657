#include <deque>

#include "tests/bench/rows.hpp"

namespace cmirror::bench {
namespace {

/// A kernel's worker that recovers: asks for work until there is none.
class Recoverer {
  public:
    Recoverer(BenchCluster& cluster, const Log& log) : cluster_(cluster), log_(log) {}

    void go_on() {
        cluster_.ask(log_, RequestType::get_resync_work, {}, [this](const Answer& answer) {
            if (answer.numbers.at(0) == 0)
                done_ = true;
            else
                copied(answer.numbers.at(1));
        });
    }
    bool done() const { return done_; }
    std::uint64_t regions() const { return regions_; }

  private:
    void copied(RegionNumber region) {
        ++regions_;
        cluster_.ask(log_, RequestType::set_region_sync, RegionSync{region, true}, [this, region](const Answer&) {
            cluster_.ask(log_, RequestType::clear_region, BenchCluster::list(region), [this](const Answer&) {
                cluster_.ask(log_, RequestType::flush, {}, [this](const Answer&) { go_on(); });
            });
        });
    }

    BenchCluster& cluster_;
    Log log_;
    bool done_ = false;
    std::uint64_t regions_ = 0;
};

/// Copies take no time here: what is left is what the log costs.
void resync(BenchCluster& cluster, Report& report, std::size_t nodes, double goal) {
    constexpr std::uint64_t regions = 4000;
    Times bare;
    std::vector<double> rates;
    for (int run = 0; run < 3; ++run) {
        const auto logs = cluster.create_everywhere("resync", regions, "clustered-core 1024");
        cluster.rounds(1, 100, bare);
        std::deque<Recoverer> recoverers;
        for (std::size_t i = 0; i < nodes; ++i)
            recoverers.emplace_back(cluster, logs.at(i));
        const auto begin = Clock::now();
        for (Recoverer& recoverer : recoverers)
            recoverer.go_on();
        cluster.until([&] { return std::ranges::all_of(recoverers, &Recoverer::done); });
        const double us = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
        rates.push_back(static_cast<double>(regions) / (us / bare.at(0.5)));
        for (const Log& log : logs)
            cluster.destroy(log);
    }
    std::ranges::sort(rates);
    report.at_least("resync, " + std::to_string(nodes) + (nodes == 1 ? " node" : " nodes") + ": regions a round",
                    rates[1], "", goal);
    Times loop;
    cluster.bare(1000, loop);
    Report::note("    a bare loop asked four times a region", bare.at(0.5) / loop.at(0.5) / 4, "");
}

}  // namespace

void measure_resync(BenchCluster& cluster, Report& report) {
    report.heading("recovery; copies take no time");
    resync(cluster, report, 1, 2);
    resync(cluster, report, 3, 4);
}

}  // namespace cmirror::bench
