// What one daemon takes of the machine, and what it does when the machine has no more to give.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/cluster/loop_device.hpp"
#include "tests/cluster/three_daemons.hpp"

namespace cmirror::test {
namespace {

namespace fs = std::filesystem;

struct Use {
    std::uint64_t resident_kib = 0;
    std::uint64_t locked_kib = 0;
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    /// Of malloc, beside the main one: each takes 64 MiB of addresses, most of them without any access.
    std::size_t arenas = 0;
    /// Of threads: larger than what the program sets, with their guard behind them.
    std::size_t large_stacks = 0;
};

Use use_of(pid_t process) {
    const auto folder = "/proc/" + std::to_string(process);
    std::ifstream status{folder + "/status"};
    Use use;
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) use.resident_kib = std::stoull(line.substr(6));
        if (line.starts_with("VmLck:")) use.locked_kib = std::stoull(line.substr(6));
        if (line.starts_with("Threads:")) use.threads = std::stoull(line.substr(8));
    }
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder + "/fd"))
        ++use.descriptors;
    constexpr std::uint64_t stack_max = 1U << 20U;
    constexpr std::uint64_t arena_min = 32U << 20U;
    std::ifstream maps{folder + "/maps"};
    std::uint64_t guard_end = 0;
    for (std::string line; std::getline(maps, line);) {
        std::size_t behind = 0;
        const auto first = std::stoull(line, &behind, 16);
        const auto end = std::stoull(line.substr(behind + 1), nullptr, 16);
        const auto access = line.substr(line.find(' ') + 1, 4);
        if (access == "---p" && end - first >= arena_min) ++use.arenas;
        if (access == "rw-p" && first == guard_end && end - first > stack_max && end - first < arena_min)
            ++use.large_stacks;
        guard_end = access == "---p" && end - first == 4096 ? end : 0;
    }
    return use;
}

void print(const char* when, const Use& use) {
    std::printf("%s: %llu KiB resident, %zu descriptors, %zu threads\n", when,
                static_cast<unsigned long long>(use.resident_kib), use.descriptors, use.threads);
}

/// One daemon and many mirrors, one after the other in the same stand-in for the kernel.
struct Resources : ::testing::Test {
    DaemonCluster cluster{"clustered-core", 1};
    LoopDevice device{std::uint64_t{1} << 20U};

    void SetUp() override {
        ASSERT_TRUE(cluster.until([this] {
            return std::ranges::any_of(cluster.lines_since(1, 0),
                                       [](const auto& line) { return line.find("ready:") != std::string::npos; });
        }));
    }
    std::string table(unsigned number) const {
        const bool disk = number % 10 == 9;
        return "65536 " + (disk ? "clustered-disk " + device.number : std::string("clustered-core")) + " 1024";
    }
    void choose(unsigned number) {
        cluster.kernel(1).use(*Uuid::from_text("LVM-" + std::to_string(number)), 0xffff880000000000U + number * 0x1000U,
                              table(number));
    }
    std::int32_t ask(RequestType type, RequestPayload payload = {}) {
        const auto answer = cluster.ask(1, type, std::move(payload));
        return answer ? answer->error : -ETIMEDOUT;
    }
    std::int32_t create(unsigned number) {
        choose(number);
        const auto created = ask(RequestType::ctr, ConstructorText{table(number), false});
        return created != 0 ? created : ask(RequestType::resume);
    }
    void remove(unsigned number) {
        choose(number);
        for (const auto type : {RequestType::presuspend, RequestType::postsuspend, RequestType::dtr})
            ASSERT_EQ(ask(type), 0) << cluster.report();
    }
    /// A region becomes dirty and that is durable.
    std::int32_t write(unsigned number, RegionNumber region) {
        choose(number);
        RegionList list;
        list.push_back(region);
        const auto marked = ask(RequestType::mark_region, list);
        return marked != 0 ? marked : ask(RequestType::flush, RegionList{});
    }
    Use use() { return use_of(cluster.daemon(1)); }
    void limit(__rlimit_resource resource, rlim_t value) {
        rlimit limit{};
        ASSERT_EQ(::prlimit(cluster.daemon(1), resource, nullptr, &limit), 0);
        limit.rlim_cur = value;
        ASSERT_EQ(::prlimit(cluster.daemon(1), resource, &limit, nullptr), 0) << std::strerror(errno);
    }
};

TEST_F(Resources, two_hundred_logs_at_once) {
    constexpr unsigned logs = 200;
    const auto before = use();
    for (unsigned number = 0; number < logs; ++number)
        ASSERT_EQ(create(number), 0) << number << cluster.report();
    for (unsigned number = 0; number < logs; ++number)
        ASSERT_EQ(write(number, number % 64), 0) << number << cluster.report();
    const auto with = use();
    print("no log", before);
    print("200 logs, 20 of them on a device", with);
    EXPECT_LT(before.resident_kib, 64U * 1024) << "with no log";
    EXPECT_LT(with.resident_kib - before.resident_kib, 128U * 1024);
    EXPECT_GT(with.locked_kib, 0U) << "its memory is locked";
    EXPECT_EQ(with.arenas, 0U) << "beside the main one";
    EXPECT_EQ(with.large_stacks, 0U);
    for (unsigned number = 0; number < logs; ++number)
        ASSERT_NO_FATAL_FAILURE(remove(number)) << number;
    EXPECT_TRUE(cluster.until([&] { return use().descriptors <= before.descriptors + 1; })) << use().descriptors;
    EXPECT_TRUE(cluster.until([&] { return use().threads <= before.threads; })) << use().threads;
}

TEST_F(Resources, thousand_mirrors_created_and_removed_leave_nothing_behind) {
    const auto cycle = [this](unsigned number) {
        ASSERT_EQ(create(number), 0) << cluster.report();
        ASSERT_EQ(write(number, 5), 0) << cluster.report();
        ASSERT_NO_FATAL_FAILURE(remove(number));
    };
    // Caches grow to their size at first, at any time when the machine is busy: a leak grows with every round.
    constexpr unsigned round = 1000;
    constexpr unsigned rounds_max = 5;
    constexpr std::uint64_t growth_max_kib = 1024;
    std::uint64_t growth_kib = growth_max_kib + 1;
    Use before;
    for (unsigned first = 0; first < rounds_max * round && growth_kib > growth_max_kib; first += round) {
        for (unsigned number = first; number < first + round; ++number)
            ASSERT_NO_FATAL_FAILURE(cycle(number)) << number;
        const Use after = use();
        print(("after " + std::to_string(first + round) + " mirrors").c_str(), after);
        if (first > 0) growth_kib = after.resident_kib - std::min(after.resident_kib, before.resident_kib);
        if (first > 0) {
            EXPECT_TRUE(cluster.until([&] { return use().descriptors <= before.descriptors; })) << use().descriptors;
            EXPECT_TRUE(cluster.until([&] { return use().threads <= before.threads; })) << use().threads;
        }
        before = after;
    }
    EXPECT_LE(growth_kib, growth_max_kib) << "in each round";
}

TEST_F(Resources, without_descriptors_new_logs_are_refused_or_wait_and_old_ones_go_on) {
    ASSERT_EQ(create(0), 0);
    ASSERT_EQ(create(9), 0);
    const auto from = cluster.said(1);
    limit(RLIMIT_NOFILE, use().descriptors);
    choose(19);
    // Its log device cannot be opened.
    EXPECT_NE(ask(RequestType::ctr, ConstructorText{table(19), false}), 0);
    EXPECT_EQ(write(0, 7), 0) << cluster.report();
    EXPECT_EQ(write(9, 7), 0) << cluster.report();
    limit(RLIMIT_NOFILE, 1024);
    EXPECT_EQ(create(29), 0) << cluster.report();
    EXPECT_EQ(write(29, 7), 0);
    EXPECT_LE(cluster.lines_since(1, from).size(), 20U) << cluster.report();
    for (const unsigned number : {0U, 9U, 29U})
        remove(number);
}

// Its group has a connection of its own. The groups of the others have theirs.
TEST_F(Resources, without_descriptors_a_new_log_waits_for_its_group_and_old_ones_go_on) {
    ASSERT_EQ(create(0), 0);
    const auto from = cluster.said(1);
    const auto told = [&](const std::string& what) {
        const auto lines = cluster.lines_since(1, from);
        return std::ranges::count_if(lines, [&](const auto& line) { return line.find(what) != std::string::npos; });
    };
    limit(RLIMIT_NOFILE, use().descriptors);
    choose(1);
    ASSERT_EQ(ask(RequestType::ctr, ConstructorText{table(1), false}), 0) << cluster.report();
    bool resumed = false;
    cluster.kernel(1).ask(RequestType::resume, {}, [&](const KernelAnswer&) { resumed = true; });
    ASSERT_TRUE(cluster.until([&] { return told("\"LVM-1\" cannot be joined") > 0; })) << cluster.report();
    EXPECT_FALSE(resumed);
    for (RegionNumber region = 0; region < 64; ++region)
        ASSERT_EQ(write(0, region), 0) << cluster.report();
    EXPECT_EQ(told("is lost"), 0) << "corosync is there" << cluster.report();
    limit(RLIMIT_NOFILE, 1024);
    choose(1);
    EXPECT_EQ(ask(RequestType::resume), 0) << cluster.report();
    EXPECT_EQ(write(1, 7), 0) << cluster.report();
    EXPECT_LE(cluster.lines_since(1, from).size(), 20U) << cluster.report();
    for (const unsigned number : {0U, 1U})
        remove(number);
}

// The pipe's other end takes nothing, as a terminal or a log service that hangs.
TEST_F(Resources, log_that_nobody_reads_keeps_nobody_waiting) {
    cluster.ignore_output(1, true);
    constexpr unsigned logs = 300;
    for (unsigned number = 0; number < logs; ++number) {
        ASSERT_EQ(create(number), 0) << number;
        ASSERT_EQ(write(number, 5), 0) << number;
        ASSERT_NO_FATAL_FAILURE(remove(number));
    }
    cluster.ignore_output(1, false);
    ASSERT_EQ(create(logs), 0);
    const auto told = [&] {
        const auto lines = cluster.lines_since(1, 0);
        return std::ranges::any_of(lines, [](const auto& line) { return line.find("LVM-300") != std::string::npos; });
    };
    EXPECT_TRUE(cluster.until(told)) << "it is told again what happens" << cluster.report();
    const auto lines = cluster.lines_since(1, 0);
    EXPECT_LT(lines.size(), logs) << "most of it was lost";
}

TEST_F(Resources, without_memory_a_large_log_is_refused_and_small_ones_go_on) {
    ASSERT_EQ(create(0), 0);
    const auto process = cluster.daemon(1);
    std::ifstream statm{"/proc/" + std::to_string(process) + "/statm"};
    std::uint64_t pages = 0;
    statm >> pages;
    // Room for 8 MiB more, where 2^30 regions need far more than that.
    limit(RLIMIT_AS, pages * 4096 + (8U << 20U));
    choose(1);
    const ConstructorText large{"1099511627776 clustered-core 1024", false};
    EXPECT_EQ(ask(RequestType::ctr, large), -ENOMEM) << cluster.report();
    EXPECT_EQ(::kill(process, 0), 0) << "the daemon lives" << cluster.report();
    EXPECT_EQ(write(0, 7), 0) << cluster.report();
}

TEST_F(Resources, rights_that_are_not_needed_are_gone) {
    std::ifstream status{"/proc/" + std::to_string(cluster.daemon(1)) + "/status"};
    std::string effective;
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("CapEff:") || line.starts_with("CapBnd:") || line.starts_with("CapPrm:"))
            effective += line.substr(line.find_first_not_of(" \t", 7)) + " ";
    // CAP_NET_ADMIN, CAP_IPC_LOCK, CAP_SYS_ADMIN, CAP_SYS_NICE.
    EXPECT_EQ(effective, "0000000000a05000 0000000000a05000 0000000000a05000 ");
}

}  // namespace
}  // namespace cmirror::test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    cmirror::test::enter_private_namespaces();
    return RUN_ALL_TESTS();
}
