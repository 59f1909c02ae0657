#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "messages/wire_disk.hpp"
#include "tests/bench/rows.hpp"
#include "tests/cluster/loop_device.hpp"

namespace cmirror::bench {
namespace {

constexpr std::uint64_t small_count = 4000;
constexpr std::uint64_t large_count = 40'000'000;
constexpr std::uint64_t device_count = 10'000'000;

std::uint64_t whole_blocks(std::uint64_t regions) {
    constexpr std::uint64_t block = 4096;
    return (device_bytes(regions) + block - 1) / block * block;
}

void compare_sizes(BenchCluster& cluster, Report& report) {
    const auto small = cluster.create_everywhere("small", small_count, "clustered-core 1024 nosync");
    const auto large = cluster.create_everywhere("large", large_count, "clustered-core 1024 nosync");
    struct Measured {
        Log log;
        Scattered regions;
        Times writes, failures, recoveries;
    };
    std::array<Measured, 2> both{Measured{small[1], Scattered{small_count}, {}, {}, {}},
                                 Measured{large[1], Scattered{large_count}, {}, {}, {}}};
    for (int i = 0; i < 600; ++i)
        for (Measured& m : both) {
            const RegionNumber region = m.regions.next();
            timed(m.writes, [&] { first_write(cluster, m.log, region); });
            end_write(cluster, m.log, region);
        }
    for (int i = 0; i < 300; ++i)
        for (Measured& m : both) {
            const RegionNumber region = m.regions.next();
            timed(m.failures, [&] { cluster.call(m.log, RequestType::set_region_sync, RegionSync{region, false}); });
            const Answer work = cluster.call(m.log, RequestType::get_resync_work);
            if (work.numbers.at(0) == 0) continue;
            timed(m.recoveries, [&] {
                cluster.call(m.log, RequestType::set_region_sync, RegionSync{work.numbers.at(1), true});
            });
        }
    report.ratio("first write, 40,000,000 regions beside 4,000", both[1].writes.at(0.5), both[0].writes.at(0.5), 1.2);
    report.ratio("SET_REGION_SYNC 0, the same", both[1].failures.at(0.5), both[0].failures.at(0.5), 1.2);
    report.ratio("SET_REGION_SYNC 1, the same", both[1].recoveries.at(0.5), both[0].recoveries.at(0.5), 1.2);
    for (const auto& logs : {small, large})
        for (const Log& log : logs)
            cluster.destroy(log);
}

/// Sectors that the block device has written since it was made.
std::uint64_t sectors_written(const std::string& path) {
    std::ifstream file{"/sys/block/" + path.substr(path.rfind('/') + 1) + "/stat"};
    std::uint64_t value = 0;
    for (int field = 0; field < 7; ++field)
        file >> value;
    return value;
}

/// What a new log writes once is written when nothing is for a while.
void await_quiet(const std::string& path) {
    std::uint64_t before = 0;
    do {
        before = sectors_written(path);
        std::this_thread::sleep_for(std::chrono::seconds{2});
    } while (sectors_written(path) != before);
}

void bytes_of_a_flush(BenchCluster& cluster, Report& report) {
    const LoopDevice device{whole_blocks(device_count)};
    const Log log = cluster.create(1, "bytes", device_count, "clustered-disk " + device.number + " 1024 nosync");
    Scattered regions{device_count};
    first_write(cluster, log, regions.next());
    await_quiet(device.path);
    std::uint64_t most = 0;
    for (int i = 0; i < 50; ++i) {
        const std::uint64_t before = sectors_written(device.path);
        first_write(cluster, log, regions.next());
        most = std::max(most, sectors_written(device.path) - before);
    }
    report.at_most("written to the log device by a FLUSH, at most", static_cast<double>(most) / 2, "KiB", 8);
    cluster.destroy(log);
}

/// Each region clean or not, as chance has it.
void write_random_image(const std::string& path, std::uint64_t regions) {
    std::vector<std::byte> image(whole_blocks(regions));
    pack_device_header({device_version, regions}, image);
    std::uint64_t random = 1;
    for (std::size_t at = device_header_size; at < image.size(); ++at) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        image[at] = static_cast<std::byte>(random >> 56U);
    }
    const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (::pwrite(file.get(), image.data(), image.size(), 0) != static_cast<ssize_t>(image.size()) ||
        ::fsync(file.get()) != 0)
        std::perror(path.c_str());
}

void join(BenchCluster& cluster, Report& report, const std::string& what, const std::string& text, double goal_s) {
    const std::array<Log, 2> others{cluster.create(1, "join", large_count, text),
                                    cluster.create(2, "join", large_count, text)};
    Scattered regions{large_count};
    const auto write = [&](const Log& log, Times& times) {
        const RegionNumber region = regions.next();
        timed(times, [&] { first_write(cluster, log, region); });
        end_write(cluster, log, region);
    };
    Times quiet;
    for (int i = 0; i < 400; ++i)
        write(others[i % 2], quiet);
    // In the last runs the joiner takes only what the others leave of its core, as if it had one of its own.
    Times meanwhile;
    Times apart;
    Times joined;
    for (int run = 0; run < 15; ++run) {
        const bool others_write = run >= 5;
        Times& writes = run < 10 ? meanwhile : apart;
        if (run == 10) cluster.run_in_leftover_time(3, true);
        const auto begin = Clock::now();
        bool resumed = false;
        const Log third = cluster.start_create(3, "join", large_count, text, [&] {
            resumed = true;
            if (!others_write) joined.add(Clock::now() - begin);
        });
        while (!resumed) {
            if (others_write) write(others[writes.all.size() % 2], writes);
            cluster.poll_once(others_write ? 0 : 100);
        }
        cluster.destroy(third);
    }
    cluster.run_in_leftover_time(3, false);
    report.at_most("third node joins, 40,000,000 regions, " + what, joined.at(0.5) / 1e6, "s", goal_s);
    report.ratio("    first writes of the others meanwhile, p99", meanwhile.at(0.99), quiet.at(0.99), 2);
    Report::note("    the same, p50", meanwhile.at(0.5) / quiet.at(0.5), "x");
    Report::note("    with the joiner's work in time that is left, p50", apart.at(0.5) / quiet.at(0.5), "x");
    Report::note("    the same, p99", apart.at(0.99) / quiet.at(0.99), "x");
    for (const Log& log : others)
        cluster.destroy(log);
}

}  // namespace

void measure_large_logs(BenchCluster& cluster, Report& report) {
    report.heading("large logs");
    compare_sizes(cluster, report);
    bytes_of_a_flush(cluster, report);
    join(cluster, report, "all in sync", "clustered-core 1024 nosync", 0.1);
    const LoopDevice device{whole_blocks(large_count)};
    write_random_image(device.path, large_count);
    join(cluster, report, "half of them at random", "clustered-disk " + device.number + " 1024", 1);
}

}  // namespace cmirror::bench
