#include <thread>

#include "tests/bench/process_facts.hpp"
#include "tests/bench/rows.hpp"

namespace cmirror::bench {

void measure_idle(BenchCluster& cluster, Report& report) {
    report.heading("ten idle logs of 4000 regions; node 2");
    std::vector<Log> logs;
    for (int i = 0; i < 10; ++i)
        for (const Log& log : cluster.create_everywhere("idle" + std::to_string(i), 4000, "clustered-core 1024 nosync"))
            logs.push_back(log);
    const pid_t daemon = cluster.daemon(2);
    const double resident = resident_mib(daemon);
    report.at_most("resident memory", resident, "MiB", 64);
    report.at_most("locked memory", locked_mib(daemon), "MiB", 64);

    constexpr auto time = std::chrono::seconds{20};
    std::this_thread::sleep_for(std::chrono::seconds{3});
    const Activity before = activity_of(daemon);
    std::this_thread::sleep_for(time);
    const Activity after = activity_of(daemon);
    const double seconds = std::chrono::duration<double>(time).count();
    report.at_most("processor time", (after.cpu_s - before.cpu_s) / seconds * 100, "%", 0.5);
    report.at_most("wake-ups a second", static_cast<double>(after.wakeups - before.wakeups) / seconds, "", 1);

    const auto large = cluster.create_everywhere("large", 40'000'000, "clustered-core 1024 nosync");
    report.at_most("one more of 40,000,000 regions: resident memory", resident_mib(daemon) - resident, "MiB", 25);
    for (const Log& log : large)
        cluster.destroy(log);
    for (const Log& log : logs)
        cluster.destroy(log);
}

}  // namespace cmirror::bench
