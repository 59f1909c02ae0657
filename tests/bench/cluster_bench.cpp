// What requests cost on three real corosyncs, beside what the machine and corosync themselves cost.
#include <CLI/CLI.hpp>
#include <map>

#include "tests/bench/rows.hpp"

namespace cmirror::bench {
namespace {

using Measure = void (*)(BenchCluster&, Report&);

const std::vector<std::pair<std::string, Measure>>& parts() {
    static const std::vector<std::pair<std::string, Measure>> all{{"idle", measure_idle},
                                                                  {"local", measure_local_requests},
                                                                  {"writes", measure_writes},
                                                                  {"resync", measure_resync},
                                                                  {"large", measure_large_logs}};
    return all;
}

}  // namespace
}  // namespace cmirror::bench

int main(int argc, char** argv) {
    using namespace cmirror::bench;
    CLI::App app{"Measures three daemons on three real corosyncs, in network namespaces of their own (root)."};
    bool check = false;
    std::vector<std::string> chosen;
    app.add_flag("--check", check, "exit with 1 if a goal is missed");
    std::vector<std::string> names;
    for (const auto& [name, measure] : parts())
        names.push_back(name);
    app.add_option("part", chosen, "which parts (default: all)")->check(CLI::IsMember(names));
    CLI11_PARSE(app, argc, argv);
    cmirror::test::enter_private_namespaces();
    Report report;
    for (const auto& [name, measure] : parts()) {
        if (!chosen.empty() && std::ranges::find(chosen, name) == chosen.end()) continue;
        BenchCluster cluster;
        measure(cluster, report);
    }
    std::printf("\n%d goals missed\n", report.missed());
    return check && report.missed() > 0 ? 1 : 0;
}
