// Hours at full load, with figures: three daemons over three real corosyncs, a mirror that all nodes write to, and
// nothing that grows. Run by scripts/soak.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/cluster/daemon_cluster.hpp"
#include "tests/cluster/loop_device.hpp"

namespace cmirror::test {
namespace {

using namespace std::chrono_literals;
using Clock = KernelStandIn::Clock;

constexpr auto sample_every = 30s;
/// Tables reach their size in it.
constexpr auto warm_up = 60s;
constexpr std::uint64_t growth_max_kib = 1024;
constexpr auto restart_every = 20s;
/// Behind the time for which there was no daemon. The kernel pauses for 2 s before it creates a log again.
constexpr auto stall_max = 3500ms;

/// SIGINT or SIGTERM has come: nothing new is begun.
volatile std::sig_atomic_t interrupted = 0;

/// Also where the shell has SIGINT ignored, as it does for what runs in the background.
void end_when_asked() {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    for (const int number : {SIGINT, SIGTERM})
        ::sigaction(number, &action, nullptr);
}

struct Use {
    std::uint64_t resident_kib = 0;
    std::size_t descriptors = 0;
};

Use use_of(pid_t process) {
    const auto folder = "/proc/" + std::to_string(process);
    std::ifstream status{folder + "/status"};
    Use use;
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) use.resident_kib = std::stoull(line.substr(6));
    use.descriptors = static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator{folder + "/fd"}, std::filesystem::directory_iterator{}));
    return use;
}

class Soak {
  public:
    explicit Soak(const std::string& log) : cluster_(log) {
        cluster_.create_all();
        for (const NodeId id : {1U, 2U, 3U})
            cluster_.recover(id);
        require(cluster_.until_in_sync() && cluster_.until_idle(), "the mirror is not resynchronised");
        for (const NodeId id : {1U, 2U, 3U})
            for (RegionNumber writer = 0; writer < 4; ++writer)
                cluster_.write(id, id - 1 + writer * 15);
    }

    /// Full load: memory and descriptors stay as they are after the warm-up.
    void load(Clock::duration time) {
        const auto end = Clock::now() + time;
        run_until(Clock::now() + std::min<Clock::duration>(warm_up, time / 2));
        std::array<Use, 4> first{};
        std::array<Use, 4> last{};
        const auto writes = all_writes();
        const auto begin = Clock::now();
        for (const NodeId id : {1U, 2U, 3U})
            first.at(id) = use_of(cluster_.daemon(id));
        while (Clock::now() < end && interrupted == 0) {
            run_until(std::min(end, Clock::now() + sample_every));
            for (const NodeId id : {1U, 2U, 3U})
                last.at(id) = use_of(cluster_.daemon(id));
            std::printf("load: %6lld s, %9llu writes, resident KiB %llu %llu %llu\n", seconds_since(begin),
                        static_cast<unsigned long long>(all_writes() - writes),
                        static_cast<unsigned long long>(last[1].resident_kib),
                        static_cast<unsigned long long>(last[2].resident_kib),
                        static_cast<unsigned long long>(last[3].resident_kib));
            std::fflush(stdout);
        }
        for (const NodeId id : {1U, 2U, 3U}) {
            require(last.at(id).resident_kib <= first.at(id).resident_kib + growth_max_kib,
                    "node " + std::to_string(id) + "'s memory grows");
            require(last.at(id).descriptors <= first.at(id).descriptors,
                    "node " + std::to_string(id) + "'s descriptors become more");
        }
    }

    /// The daemons are killed and started again in turn.
    void restarts(Clock::duration time) {
        const auto end = Clock::now() + time;
        Clock::duration longest{0};
        Clock::duration behind{0};
        unsigned count = 0;
        for (NodeId victim = 1; Clock::now() < end && interrupted == 0; victim = victim % 3 + 1) {
            for (const NodeId id : {1U, 2U, 3U})
                cluster_.longest_pause(id);
            const auto killed = Clock::now();
            const auto said = cluster_.said(victim);
            cluster_.kill_daemon(victim);
            run_until(Clock::now() + (count % 2 == 0 ? 0s : 1s));
            cluster_.start_daemon(victim);
            require(cluster_.until([&] { return is_ready(victim, said); }), "the daemon does not start");
            // A busy machine takes its time to start a program.
            const auto away = Clock::now() - killed;
            run_until(Clock::now() + restart_every);
            Clock::duration stall{0};
            for (const NodeId id : {1U, 2U, 3U})
                stall = std::max(stall, cluster_.longest_pause(id));
            ++count;
            longest = std::max(longest, stall);
            behind = std::max(behind, stall - away);
            require(behind < stall_max, "a write waited for too long");
        }
        std::printf("restarts: %u, longest stall %lld ms, at most %lld ms longer than there was no daemon\n", count,
                    milliseconds(longest), milliseconds(behind));
    }

    void end() {
        cluster_.stop();
        require(cluster_.until_idle(), "requests stay unanswered");
        require(cluster_.until_in_sync(), "regions were resynchronised");
        require(cluster_.until_equal(), "the states differ");
    }

  private:
    void require(bool so, const std::string& otherwise) {
        if (so && cluster_.rules.broken.empty()) return;
        std::printf("FAILED: %s\n%s\n", otherwise.c_str(), cluster_.report().c_str());
        std::exit(EXIT_FAILURE);
    }
    void run_until(Clock::time_point time) {
        while (Clock::now() < time && interrupted == 0)
            cluster_.poll_once();
    }
    bool is_ready(NodeId id, std::size_t said) const {
        return std::ranges::any_of(cluster_.lines_since(id, said),
                                   [](const auto& line) { return line.find("ready:") != std::string::npos; });
    }
    static long long milliseconds(Clock::duration time) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    }
    std::uint64_t all_writes() const { return cluster_.writes(1) + cluster_.writes(2) + cluster_.writes(3); }
    static long long seconds_since(Clock::time_point begin) {
        return std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin).count();
    }

    DaemonCluster cluster_;
};

}  // namespace
}  // namespace cmirror::test

int main(int argc, char** argv) {
    using namespace cmirror::test;
    const long minutes = argc == 2 ? std::atol(argv[1]) : 0;
    if (minutes < 1) {
        std::fprintf(stderr, "usage: %s MINUTES\n", argv[0]);
        return 2;
    }
    end_when_asked();
    enter_private_namespaces();
    const cmirror::LoopDevice device{std::uint64_t{1} << 20U};
    for (const auto& log : {std::string("clustered-core"), "clustered-disk " + device.number}) {
        std::printf("%s\n", log.c_str());
        Soak soak{log};
        // A third of the time under restarts.
        soak.load(std::chrono::seconds{minutes * 20});
        soak.restarts(std::chrono::seconds{minutes * 10});
        soak.end();
        if (interrupted != 0) {
            std::printf("interrupted; all was well until then\n");
            return EXIT_FAILURE;
        }
    }
    std::printf("all well\n");
    return EXIT_SUCCESS;
}
