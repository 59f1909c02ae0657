#include "tests/sim/runner.hpp"

#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>

#include "tests/sim/rare_paths.hpp"

namespace cmirror::sim {

namespace {

constexpr std::size_t last_events_max = 80;
constexpr std::string_view fault_prefix = "fault: ", path_prefix = "path: ";

/// What an abort has to tell: set before each run.
char current_run[512];  // NOLINT: read by a signal handler

extern "C" void tell_current_run(int) {
    std::fputs("\naborted in: ", stderr);
    std::fputs(current_run, stderr);
    std::fputs("\n", stderr);
}

std::string line_of(Instant at, NodeId node, const std::string& text) {
    char start[48];
    std::snprintf(start, sizeof start, "%12.6f  %s%-2u ", std::chrono::duration<double>(at).count(),
                  node == 0 ? "cluster " : "node ", node);
    return start + text;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void print_violation(const Options& options, const RunResult& result) {
    const Violation& v = *result.violation;
    std::printf("\nseed %llu failed after %.6f s: %s: node %u: %s\n", static_cast<unsigned long long>(options.seed),
                std::chrono::duration<double>(v.at).count(), v.checker.c_str(), v.node, v.text.c_str());
}

void print_failure(const Options& options, const RunResult& result) {
    print_violation(options, result);
    const Violation& v = *result.violation;
    std::printf("drawn: %s\n", draw_profile(options).describe().c_str());
    std::printf("last events:\n");
    for (const std::string& line : last_events(options, v))
        std::printf("  %s\n", line.c_str());
    std::printf("replay: %s --trace\n", replay_command(options).c_str());
}

/// One table for what starts with `kind`; what starts with none of the others, for an empty one.
void print_table(const Counters& counters, std::string_view title, std::string_view kind) {
    std::printf("\n%-52s %12s\n", std::string(title).c_str(), "count");
    for (const auto& [name, count] : counters.all()) {
        const bool is_work = !name.starts_with(fault_prefix) && !name.starts_with(path_prefix);
        if (kind.empty() ? !is_work : !name.starts_with(kind)) continue;
        std::printf("  %-50s %12llu\n", name.substr(kind.size()).c_str(), static_cast<unsigned long long>(count));
    }
}

void print_summary(const Counters& counters, std::uint64_t seeds, double seconds, Instant simulated,
                   std::uint64_t events) {
    print_table(counters, "faults", fault_prefix);
    print_table(counters, "rare paths", path_prefix);
    print_table(counters, "work", {});
    const double simulated_s = std::chrono::duration<double>(simulated).count();
    std::printf("\n%llu seeds, %llu events, %.0f s simulated in %.1f s: %.0f s/s, %.0f seeds a minute\n",
                static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(events), simulated_s, seconds,
                simulated_s / seconds, 60.0 * static_cast<double>(seeds) / seconds);
}

std::uint64_t faults_of(const Counters& counters) {
    std::uint64_t faults = 0;
    for (const auto& [name, count] : counters.all())
        if (name.starts_with(fault_prefix)) faults += count;
    return faults;
}

}  // namespace

std::string replay_command(const Options& options) {
    std::string text = "cmirror-sim --seed " + std::to_string(options.seed) + " --nodes " +
                       std::to_string(options.nodes) + " --minutes " +
                       std::to_string(std::chrono::duration<double>(options.length).count() / 60);
    if (options.calm) text += " --calm";
    if (options.legacy) text += " --legacy";
    const auto list = [&text](const char* name, const std::vector<std::string>& kinds) {
        for (const std::string& kind : kinds)
            text += std::string(" ") + name + " " + kind;
    };
    list("--only", options.only);
    list("--without", options.without);
    return text;
}

RunResult run_once(const Options& options, const std::function<void(Instant, NodeId, const std::string&)>& story) {
    std::snprintf(current_run, sizeof current_run, "%s", replay_command(options).c_str());
    std::signal(SIGABRT, tell_current_run);
    caf::actor_system_config config;
    config.set("scheduler.policy", caf::atom("testing"));
    caf::actor_system system{config};
    World world(system, options);
    world.story = story;
    world.run();
    return {.violation = world.violated(),
            .digest = world.digest(),
            .events = world.events(),
            .simulated = world.elapsed(),
            .counters = world.counters};
}

std::vector<std::string> last_events(const Options& options, const Violation& violation) {
    std::deque<std::string> last;
    const RunResult again = run_once(options, [&](Instant at, NodeId node, const std::string& text) {
        if (violation.node != 0 && node != violation.node && text.starts_with("  ")) return;
        last.push_back(line_of(at, node, text));
        if (last.size() > last_events_max) last.pop_front();
    });
    if (!again.violation || again.violation->text != violation.text)
        last.push_back("(the second run of this seed went another way)");
    return {last.begin(), last.end()};
}

bool run_kept(const std::vector<Options>& kept) {
    for (const Options& run : kept) {
        const RunResult first = run_once(run);
        if (first.violation) {
            print_failure(run, first);
            return false;
        }
        if (run_once(run).digest == first.digest) continue;
        std::printf("%s ended differently when it was run again\n", replay_command(run).c_str());
        return false;
    }
    std::printf("%zu kept seeds are well\n", kept.size());
    return true;
}

bool run_batch(const BatchOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    auto shown = start;
    Counters counters;
    Instant simulated{};
    std::uint64_t events = 0, done = 0;
    bool good = true;
    const bool progress = options.progress && ::isatty(STDOUT_FILENO) != 0;
    for (std::uint64_t i = 0; i < options.seeds && (good || options.keep_going); ++i) {
        if (options.seconds_max > 0 && seconds_since(start) > options.seconds_max) break;
        Options run = options.run;
        run.seed = options.first_seed + i;
        const RunResult result = run_once(run);
        ++done;
        counters.add_all(result.counters);
        simulated += result.simulated;
        events += result.events;
        if (result.violation) {
            if (options.keep_going)
                print_violation(run, result);
            else
                print_failure(run, result);
            good = false;
        } else if (options.repeat_every != 0 && i % options.repeat_every == 0) {
            if (run_once(run).digest != result.digest) {
                std::printf("\nseed %llu ended differently when it was run again\n",
                            static_cast<unsigned long long>(run.seed));
                good = false;
            }
        }
        if (progress && std::chrono::steady_clock::now() - shown > std::chrono::milliseconds(500)) {
            shown = std::chrono::steady_clock::now();
            std::printf("\r%llu seeds, %llu events, %llu faults, %.0f s simulated a second   ",
                        static_cast<unsigned long long>(done), static_cast<unsigned long long>(events),
                        static_cast<unsigned long long>(faults_of(counters)),
                        std::chrono::duration<double>(simulated).count() / seconds_since(start));
            std::fflush(stdout);
        }
    }
    print_summary(counters, done, seconds_since(start), simulated, events);
    if (options.require_counters)
        for (const std::string& name : required_counters(options.run, options.seeds))
            if (counters.of(name) == 0) {
                std::printf("never happened: %s\n", name.c_str());
                good = false;
            }
    return good;
}

}  // namespace cmirror::sim
