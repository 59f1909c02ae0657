// What a request that needs no cluster costs: an IN_SYNC through the daemon's rooms, beside the same datagram through a
// bare poll-recv-send loop. Both in processes of their own, asked in turns, so that the machine's moods hit both.
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "adapters/block_device/linux_block_device.hpp"
#include "adapters/kernel_socket/unix_datagram_socket.hpp"
#include "adapters/log_sink/fake_log_sink.hpp"
#include "adapters/state_store/fake_state_store.hpp"
#include "main/rooms.hpp"
#include "messages/wire_kernel.hpp"
#include "tests/bench/bare_loop.hpp"
#include "tests/bench/loopback_cluster.hpp"
#include "tests/bench/times.hpp"

namespace cmirror {
namespace {

using namespace bench;

constexpr Luid luid = 0xffff888012345678U;
constexpr int rounds = 9;

/// Never tells of a signal: the measured processes are killed.
class NoSignals final : public SignalSource {
  public:
    int descriptor() const override { return bell_.descriptor(); }
    std::optional<int> next() override { return std::nullopt; }

  private:
    Bell bell_;
};

[[noreturn]] void serve_rooms(UniqueFd socket) {
    const std::string folder = "/tmp/in_sync_bench." + std::to_string(::getpid());
    auto lock = LockFile::acquire(folder);
    if (!lock) {
        std::fprintf(stderr, "in_sync_bench: %s\n", lock.error().text.c_str());
        ::_exit(1);
    }
    Resources resources{.lock = std::move(*lock),
                        .boot = {},
                        .sink = std::make_unique<FakeLogSink>(),
                        .kernel = UnixDatagramSocket::adopt(std::move(socket)),
                        .cluster = std::make_unique<LoopbackCluster>(),
                        .devices = std::make_unique<LinuxBlockDeviceProvider>(),
                        .states = std::make_unique<FakeStateStore>(),
                        .control = nullptr,
                        .signals = std::make_unique<NoSignals>(),
                        .fenced_after = {}};
    ::unlink(folder.c_str());
    run_rooms(resources, [] {});
    ::_exit(0);
}

std::vector<std::byte> frame_of(std::uint32_t seq, RequestType type, RequestPayload payload = {}) {
    std::vector<std::byte> frame(kernel_frame_size_max);
    frame.resize(pack_kernel_request({seq, type, 2, luid, *Uuid::from_text("bench"), std::move(payload)}, frame));
    return frame;
}

/// One request and its reply.
Clock::duration ask(int socket, const std::vector<std::byte>& request, std::uint32_t seq) {
    std::array<std::byte, kernel_frame_size_max> buffer;
    const auto begin = Clock::now();
    (void)::send(socket, request.data(), request.size(), 0);
    const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
    const auto took = Clock::now() - begin;
    const auto reply = unpack_kernel_reply(std::span(buffer).first(size < 0 ? 0 : static_cast<std::size_t>(size)));
    if (!reply || reply->seq != seq || reply->error != 0) {
        std::fprintf(stderr, "in_sync_bench: a request was not answered as it should be\n");
        std::exit(1);
    }
    return took;
}

void measure(int socket, Times& times, int count, long gap_ns) {
    const auto request = frame_of(7, RequestType::in_sync, RegionNumber{5});
    for (int i = 0; i < count; ++i) {
        const timespec gap{0, gap_ns};
        if (gap_ns > 0) ::clock_nanosleep(CLOCK_MONOTONIC, 0, &gap, nullptr);
        times.add(ask(socket, request, 7));
    }
}

/// One line of the table. True if the goal is met.
bool compare(const Server& bare, const Server& rooms, const char* what, int count, long gap_ns, double goal) {
    Times bare_times;
    Times rooms_times;
    for (int round = 0; round < rounds; ++round) {
        measure(bare.socket.get(), bare_times, count, gap_ns);
        measure(rooms.socket.get(), rooms_times, count, gap_ns);
    }
    const double ratio = rooms_times.at(0.5) / bare_times.at(0.5);
    std::printf("%-26s %8.1f %8.1f %8.1f %8.1f %8.2f %8.2f   %s\n", what, bare_times.at(0.5), rooms_times.at(0.5),
                rooms_times.at(0.9), rooms_times.at(0.99), ratio, goal, ratio <= goal ? "met" : "missed");
    return ratio <= goal;
}

/// Without this the scheduler puts one pair of processes on one core and the other on two, as chance has it.
void pin(pid_t process, int core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    (void)::sched_setaffinity(process, sizeof cores, &cores);
}

/// The one who asks runs on core 0, who answers on `answering_core`.
bool run(int answering_core) {
    pin(0, answering_core);
    std::vector<std::byte> reply(kernel_frame_size_max);
    reply.resize(pack_kernel_reply({7, RequestType::in_sync, luid, 0, std::uint64_t{1}}, reply));
    const Server bare = start_server([&](UniqueFd socket) { serve_bare(socket.get(), reply); });
    const Server rooms = start_server([](UniqueFd socket) { serve_rooms(std::move(socket)); });
    pin(0, 0);
    const int socket = rooms.socket.get();
    ask(socket, frame_of(1, RequestType::ctr, ConstructorText{"71680 clustered-core 1024 nosync", false}), 1);
    ask(socket, frame_of(2, RequestType::resume), 2);
    Times warm_up;
    measure(bare.socket.get(), warm_up, 2000, 0);
    measure(socket, warm_up, 2000, 0);

    std::printf("%s\n%-26s %8s %8s %8s %8s %8s %8s\n", answering_core == 0 ? "one core for both" : "a core each",
                "IN_SYNC, us", "bare p50", "p50", "p90", "p99", "ratio", "goal");
    bool met = compare(bare, rooms, "closed loop", 3000, 0, 1.5);
    met = compare(bare, rooms, "gaps of 200 us", 500, 200'000, 2.0) && met;
    bare.end();
    rooms.end();
    return met;
}

}  // namespace
}  // namespace cmirror

int main(int argc, char** argv) {
    const std::string_view option = argc > 1 ? argv[1] : "";
    if (argc > 2 || (argc == 2 && option != "--check")) {
        std::fprintf(stderr, "Usage: in_sync_bench [--check]\n\n  --check   exit with 1 if a goal is missed\n");
        return option == "--help" ? 0 : 2;
    }
    ::prctl(PR_SET_TIMERSLACK, 1000UL);
    const bool same = cmirror::run(0);
    const bool each = std::thread::hardware_concurrency() < 2 || cmirror::run(1);
    return option == "--check" && !(same && each) ? 1 : 0;
}
