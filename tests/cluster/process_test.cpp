// The process' own surroundings: lock file, background, signals, rights, memory.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "adapters/process/boot_id.hpp"
#include "adapters/process/daemonize.hpp"
#include "adapters/process/lock_file.hpp"
#include "adapters/process/memory_lock.hpp"
#include "adapters/process/privileges.hpp"
#include "adapters/process/signalfd_source.hpp"
#include "tests/cluster/temporary_folder.hpp"

namespace cmirror {
namespace {

std::string read_all(int descriptor) {
    std::string text;
    std::array<char, 256> buffer;
    for (ssize_t size = 0; (size = ::read(descriptor, buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(size));
    return text;
}

struct Outcome {
    int code = -1;
    std::string errors;
};

/// Runs `body` in a child and waits for its end; what it writes to stderr is kept.
template <class Body>
Outcome run_in_child(const Body& body) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
    const UniqueFd reading{ends[0]};
    UniqueFd writing{ends[1]};
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(writing.get(), STDERR_FILENO);
        ::_exit(body());
    }
    writing.reset();
    Outcome outcome;
    int status = 0;
    ::waitpid(child, &status, 0);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome.errors = read_all(reading.get());
    return outcome;
}

TEST(LockFileTests, second_process_is_told_who_holds_the_lock) {
    const Folder folder;
    const auto path = folder.path + "/cmirrord.pid";
    const auto lock = LockFile::acquire(path);
    ASSERT_TRUE(lock.has_value()) << lock.error().text;
    const auto parent = ::getpid();
    const auto second = run_in_child([&] {
        const auto attempt = LockFile::acquire(path);
        return !attempt && attempt.error().holder == parent &&
                       attempt.error().text.find(std::to_string(parent)) != std::string::npos
                   ? 0
                   : 1;
    });
    EXPECT_EQ(second.code, 0);
    EXPECT_EQ(second.errors, "");
}

TEST(LockFileTests, file_holds_the_pid_and_goes_away) {
    const Folder folder;
    const auto path = folder.path + "/cmirrord.pid";
    // In a child, since reading the file gives the lock up.
    const auto outcome = run_in_child([&] {
        {
            const auto lock = LockFile::acquire(path);
            std::ifstream file{path};
            pid_t pid = 0;
            if (!lock || !(file >> pid) || pid != ::getpid()) return 1;
        }
        return std::filesystem::exists(path) ? 2 : 0;
    });
    EXPECT_EQ(outcome.code, 0);
}

TEST(LockFileTests, no_link_is_followed) {
    const Folder folder;
    const auto path = folder.path + "/lock";
    std::ofstream{folder.path + "/target"} << "precious";
    std::filesystem::create_symlink(folder.path + "/target", path);
    const auto lock = LockFile::acquire(path);
    ASSERT_FALSE(lock.has_value());
    EXPECT_NE(lock.error().text.find("remove it"), std::string::npos);
    EXPECT_EQ(std::filesystem::file_size(folder.path + "/target"), 8U);
}

TEST(LockFileTests, folder_that_does_not_exist_is_said) {
    const auto lock = LockFile::acquire("/there-is-no-such-folder/cmirrord.pid");
    ASSERT_FALSE(lock.has_value());
    EXPECT_EQ(lock.error().holder, 0);
    EXPECT_NE(lock.error().text.find("/there-is-no-such-folder/"), std::string::npos);
}

TEST(DaemonizeTests, parent_ends_well_when_the_child_is_ready) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const UniqueFd reading{ends[0]};
    UniqueFd writing{ends[1]};
    const auto outcome = run_in_child([&] {
        auto readiness = daemonize();
        if (!readiness) return 9;
        readiness->ready();
        // From here on only the daemon is there.
        std::array<char, 256> folder{};
        const bool in_root = ::getcwd(folder.data(), folder.size()) != nullptr && std::string{folder.data()} == "/";
        const bool own_session = ::getsid(0) == ::getpid();
        struct stat null {
        }, errors{};
        ::stat("/dev/null", &null);
        ::fstat(STDERR_FILENO, &errors);
        const bool quiet = null.st_rdev == errors.st_rdev;
        const char word = in_root && own_session && quiet ? 'y' : 'n';
        return ::write(writing.get(), &word, 1) == 1 ? 0 : 1;
    });
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.errors, "");
    writing.reset();
    EXPECT_EQ(read_all(reading.get()), "y");
}

TEST(DaemonizeTests, parent_passes_failure_on) {
    const auto outcome = run_in_child([] {
        auto readiness = daemonize();
        if (!readiness) return 9;
        readiness->failed(6, "corosync is not running");
        return 0;
    });
    EXPECT_EQ(outcome.code, 6);
    EXPECT_NE(outcome.errors.find("corosync is not running\n"), std::string::npos);
}

TEST(DaemonizeTests, child_that_dies_without_a_word_has_failed) {
    const auto killed = run_in_child([] {
        const auto readiness = daemonize();
        ::raise(SIGKILL);
        return 0;
    });
    EXPECT_EQ(killed.code, 1);
    EXPECT_NE(killed.errors.find("signal 9"), std::string::npos) << killed.errors;
    const auto exited = run_in_child([] {
        const auto readiness = daemonize();
        return 4;
    });
    EXPECT_EQ(exited.code, 4);
}

TEST(DaemonizeTests, foreground_failure_goes_to_the_terminal) {
    const auto outcome = run_in_child([] {
        Readiness::foreground().failed(3, "no connector");
        return 0;
    });
    EXPECT_NE(outcome.errors.find("no connector\n"), std::string::npos);
}

TEST(SignalTests, blocked_signals_are_read) {
    const auto outcome = run_in_child([] {
        const auto source = SignalfdSource::open({SIGTERM, SIGUSR1});
        if (!source || (*source)->next()) return 1;
        ::kill(::getpid(), SIGTERM);
        if ((*source)->next() != SIGTERM) return 2;
        ::kill(::getpid(), SIGUSR1);
        if ((*source)->next() != SIGUSR1) return 3;
        return (*source)->next() ? 4 : 0;
    });
    EXPECT_EQ(outcome.code, 0);
}

/// Gives capabilities up for good.
bool drop(std::initializer_list<unsigned> capabilities) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
    for (const unsigned capability : capabilities)
        data[capability / 32].effective &= ~(1U << capability % 32);
    return ::syscall(SYS_capset, &header, data.data()) == 0;
}

TEST(PrivilegeTests, root_has_what_is_needed) {
    const auto outcome = check_privileges();
    EXPECT_TRUE(outcome.has_value()) << outcome.error().text;
}

TEST(PrivilegeTests, missing_capability_is_named) {
    const auto one = run_in_child([] {
        if (!drop({CAP_NET_ADMIN})) return 1;
        const auto outcome = check_privileges();
        return !outcome && outcome.error().net_admin && !outcome.error().sys_admin &&
                       outcome.error().text.find("CAP_NET_ADMIN is missing") != std::string::npos
                   ? 0
                   : 2;
    });
    EXPECT_EQ(one.code, 0);
    const auto both = run_in_child([] {
        if (!drop({CAP_NET_ADMIN, CAP_SYS_ADMIN})) return 1;
        const auto outcome = check_privileges();
        return !outcome && outcome.error().text.find("CAP_NET_ADMIN and CAP_SYS_ADMIN are") == 0 ? 0 : 2;
    });
    EXPECT_EQ(both.code, 0);
}

/// The masks of /proc/self/status.
std::uint64_t mask_of(const std::string& name) {
    std::ifstream status{"/proc/self/status"};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1), nullptr, 16);
    return ~std::uint64_t{0};
}

TEST(PrivilegeTests, what_is_not_needed_is_given_up_for_good) {
    const auto outcome = run_in_child([] {
        if (!drop_privileges()) return 1;
        constexpr std::uint64_t needed =
            1U << CAP_NET_ADMIN | 1U << CAP_SYS_ADMIN | 1U << CAP_IPC_LOCK | 1U << CAP_SYS_NICE;
        for (const auto* set : {"CapEff", "CapPrm", "CapBnd"})
            if ((mask_of(set) & ~needed) != 0) return 2;
        if (mask_of("CapInh") != 0 || mask_of("CapAmb") != 0 || mask_of("NoNewPrivs") != 1) return 3;
        if (!check_privileges()) return 4;
        // Root all the same: what it owns it may use, what others own it may not.
        return ::setgid(1) == 0 || ::chown("/tmp", 1, 1) == 0 ? 5 : 0;
    });
    EXPECT_EQ(outcome.code, 0);
}

TEST(MemoryTests, descriptors_are_allowed) {
    const auto outcome = run_in_child([] {
        rlimit limit{256, 4096};
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
        allow_descriptors();
        return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 4096 ? 0 : 2;
    });
    EXPECT_EQ(outcome.code, 0);
}

TEST(MemoryTests, all_memory_is_locked_and_stacks_are_small) {
    const auto outcome = run_in_child([] {
        if (!lock_memory()) return 1;
        std::size_t stack = 0;
        std::thread([&stack] {
            pthread_attr_t attributes;
            ::pthread_getattr_np(::pthread_self(), &attributes);
            ::pthread_attr_getstacksize(&attributes, &stack);
            ::pthread_attr_destroy(&attributes);
        }).join();
        std::ifstream status{"/proc/self/status"};
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmLck:") && std::atol(line.c_str() + 6) > 0)
                return stack <= 2 * thread_stack_bytes ? 0 : 2;
        return 3;
    });
#if !defined(__SANITIZE_ADDRESS__)
    EXPECT_EQ(outcome.code, 0);  // the sanitizer takes mlockall away
#endif
}

TEST(BootIdTests, text_of_the_kernel_is_read) {
    const auto id = boot_id_from_text("00112233-4455-6677-8899-aabbccddeeff");
    ASSERT_TRUE(id.has_value());
    EXPECT_EQ(*id,
              (BootId{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}));
    EXPECT_FALSE(boot_id_from_text("").has_value());
    EXPECT_FALSE(boot_id_from_text("00112233-4455-6677-8899-aabbccddeef").has_value());
    EXPECT_FALSE(boot_id_from_text("00112233-4455-6677-8899-aabbccddeefg").has_value());
    EXPECT_FALSE(boot_id_from_text("001122334-455-6677-8899-aabbccddeeff").has_value());
}

TEST(BootIdTests, kernel_tells_the_same_one_twice) {
    const auto id = read_boot_id();
    ASSERT_TRUE(id.has_value()) << id.error();
    EXPECT_EQ(*id, *read_boot_id());
    EXPECT_FALSE(read_boot_id("/there-is-no-such-file").has_value());
}

}  // namespace
}  // namespace cmirror
