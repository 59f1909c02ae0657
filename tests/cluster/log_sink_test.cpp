// Lines go to real sockets and pipes, and never wait for them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <set>
#include <thread>
#include <vector>

#include "adapters/log_sink/log_sinks.hpp"
#include "tests/cluster/temporary_folder.hpp"
#include "tests/support/unix_address.hpp"

namespace cmirror {
namespace {

class SyslogTests : public ::testing::Test {
  protected:
    SyslogTests() : path(folder.path + "/log") { listen(); }
    void listen() {
        socket = UniqueFd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        const sockaddr_un address = test::unix_address(path);
        ::unlink(path.c_str());
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    /// The next line, once it is there; nothing if none comes.
    std::string await_line() {
        pollfd entry{socket.get(), POLLIN, 0};
        return ::poll(&entry, 1, 10'000) == 1 ? next_line() : std::string{};
    }
    std::string next_line() {
        std::array<char, 4096> buffer;
        const auto size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        return size < 0 ? std::string{} : std::string(buffer.data(), static_cast<std::size_t>(size));
    }
    /// Lines "other" until the socket takes no more from anybody; how many.
    int fill() {
        int filled = 0;
        // Each sender has a limit of its own as well.
        for (bool took = true; took;) {
            const UniqueFd other{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
            const sockaddr_un address = test::unix_address(path);
            EXPECT_EQ(::connect(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
            for (took = false; ::send(other.get(), "other", 5, 0) == 5; ++filled)
                took = true;
        }
        return filled;
    }
    Folder folder;
    std::string path;
    UniqueFd socket;
};

TEST_F(SyslogTests, lines_have_facility_level_ident_and_pid) {
    SyslogSink sink{"cmirrord", path};
    sink.write(LogLevel::error, "a leg failed");
    const auto line = next_line();
    EXPECT_EQ(line.find("<27>"), 0U) << line;
    EXPECT_NE(line.find(" cmirrord[" + std::to_string(::getpid()) + "]: a leg failed"), std::string::npos) << line;
}

TEST_F(SyslogTests, burst_that_the_socket_cannot_take_at_once_all_comes_in_order) {
    SyslogSink sink{"cmirrord", path};
    for (int i = 0; i < 2'000; ++i)
        sink.write(LogLevel::info, "line " + std::to_string(i) + ".");
    for (int i = 0; i < 2'000; ++i)
        ASSERT_NE(await_line().find("line " + std::to_string(i) + "."), std::string::npos) << i;
    EXPECT_EQ(sink.lost(), 0U);
}

TEST_F(SyslogTests, socket_that_stays_full_loses_lines_and_does_not_block) {
    SyslogSink sink{"cmirrord", path};
    int written = 0;
    for (; written < 100'000 && sink.lost() == 0; ++written)
        sink.write(LogLevel::info, "line");
    ASSERT_EQ(sink.lost(), 1U);
    for (int i = 0; i < written - 1; ++i)
        ASSERT_NE(await_line().find("line"), std::string::npos) << i;
    EXPECT_NE(await_line().find("1 lines were lost"), std::string::npos);
}

TEST_F(SyslogTests, lost_lines_are_told_once_the_socket_takes_it_without_another_line) {
    SyslogSink sink{"cmirrord", path};
    socket.reset();
    sink.write(LogLevel::info, "nobody listens");
    listen();
    const int filled = fill();
    ASSERT_EQ(next_line(), "other");
    // Takes the last place: there is none for what tells of the lost one.
    sink.write(LogLevel::info, "heard");
    for (int i = 1; i < filled; ++i)
        ASSERT_EQ(await_line(), "other") << i;
    EXPECT_NE(await_line().find("heard"), std::string::npos);
    EXPECT_NE(await_line().find("1 lines were lost"), std::string::npos);
    EXPECT_EQ(sink.lost(), 1U);
}

TEST_F(SyslogTests, lost_lines_are_told_after_those_that_waited_however_slowly_they_are_read) {
    SyslogSink sink{"cmirrord", path};
    const int filled = fill();
    const int waiting = static_cast<int>(SyslogSink::waiting_max);
    for (int i = 0; i < waiting + 3; ++i)
        sink.write(LogLevel::info, "line " + std::to_string(i) + ".");
    ASSERT_EQ(sink.lost(), 3U);
    // What is not read of them fills the socket again.
    for (int i = 0; i < filled + waiting; ++i)
        ASSERT_FALSE(await_line().empty()) << i;
    EXPECT_NE(await_line().find("3 lines were lost"), std::string::npos);
    sink.write(LogLevel::info, "later");
    EXPECT_NE(await_line().find("later"), std::string::npos);
    EXPECT_EQ(sink.lost(), 3U);
}

TEST_F(SyslogTests, lines_of_several_threads_all_come_each_threads_in_order) {
    constexpr int lines = 300;
    SyslogSink syslog{"cmirrord", path};
    JournalSink journal{path};
    const std::array<LogSink*, 4> sinks{&syslog, &syslog, &journal, &journal};
    std::vector<std::jthread> threads;
    for (std::size_t writer = 0; writer < sinks.size(); ++writer)
        threads.emplace_back([&, writer] {
            for (int i = 0; i < lines; ++i)
                sinks[writer]->write(LogLevel::info, "<" + std::to_string(writer) + ":" + std::to_string(i) + ">");
        });
    std::array<int, sinks.size()> next{};
    for (std::size_t i = 0; i < sinks.size() * lines; ++i) {
        const auto line = await_line();
        // The first `<` is of syslog's priority.
        const auto begin = line.rfind('<');
        ASSERT_NE(begin, std::string::npos) << line;
        const auto writer = static_cast<std::size_t>(line[begin + 1] - '0');
        ASSERT_LT(writer, sinks.size()) << line;
        EXPECT_EQ(std::stoi(line.substr(begin + 3)), next[writer]++) << line;
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(syslog.lost() + journal.lost(), 0U);
}

TEST_F(SyslogTests, journal_gets_fields) {
    JournalSink sink{path};
    sink.write_about({LogEvent::node_lost, "CMIRROR-x"}, LogLevel::notice, "node 3\nis lost");
    EXPECT_EQ(next_line(), "MESSAGE=node 3 is lost\nPRIORITY=5\nSYSLOG_IDENTIFIER=cmirrord\nMESSAGE_ID=" +
                               std::string(message_id(LogEvent::node_lost)) + "\nCMIRROR_UUID=CMIRROR-x\n");
    sink.write(LogLevel::error, "plain");
    EXPECT_EQ(next_line(), "MESSAGE=plain\nPRIORITY=3\nSYSLOG_IDENTIFIER=cmirrord\n");
}

TEST_F(SyslogTests, every_event_has_an_id_of_its_own) {
    std::set<std::string_view> ids;
    for (auto event = LogEvent::none; event <= LogEvent::states_differ;
         event = static_cast<LogEvent>(static_cast<int>(event) + 1))
        ids.insert(message_id(event));
    EXPECT_EQ(ids.size(), static_cast<std::size_t>(LogEvent::states_differ) + 1);
    for (const auto id : ids)
        EXPECT_TRUE(id.empty() || (id.size() == 32 && id.find_first_not_of("0123456789abcdef") == id.npos)) << id;
}

TEST_F(SyslogTests, journal_is_known_by_the_stream_that_systemd_names) {
    struct stat status {};
    ASSERT_EQ(::fstat(socket.get(), &status), 0);
    ::setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
    EXPECT_TRUE(in_journal(socket.get()));
    EXPECT_FALSE(in_journal(0));
    ::unsetenv("JOURNAL_STREAM");
    EXPECT_FALSE(in_journal(socket.get()));
}

TEST_F(SyslogTests, syslog_that_was_restarted_is_found_again) {
    SyslogSink sink{"cmirrord", path};
    socket.reset();
    sink.write(LogLevel::info, "nobody listens");
    EXPECT_EQ(sink.lost(), 1U);
    listen();
    sink.write(LogLevel::info, "heard");
    EXPECT_NE(next_line().find("heard"), std::string::npos);
}

TEST_F(SyslogTests, long_line_is_cut) {
    SyslogSink sink{"cmirrord", path};
    sink.write(LogLevel::info, std::string(100'000, 'x'));
    EXPECT_GT(next_line().size(), 1000U);
    EXPECT_EQ(sink.lost(), 0U);
}

TEST(TerminalTests, lines_have_level_and_time) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd reading{ends[0]}, writing{ends[1]};
    TerminalSink sink{LogLevel::info, writing.get()};
    sink.write(LogLevel::debug, "unwanted");
    sink.write(LogLevel::warning, "wanted");
    std::array<char, 256> buffer{};
    const auto size = ::read(reading.get(), buffer.data(), buffer.size());
    ASSERT_GT(size, 0);
    const std::string line(buffer.data(), static_cast<std::size_t>(size));
    EXPECT_EQ(line.substr(12), " warning wanted\n");
    EXPECT_EQ(line[2], ':');
}

TEST(TerminalTests, full_pipe_loses_lines_and_its_flags_stay) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd reading{ends[0]}, writing{ends[1]};
    TerminalSink sink{LogLevel::info, writing.get()};
    for (int i = 0; i < 100'000 && sink.lost() == 0; ++i)
        sink.write(LogLevel::info, "line");
    EXPECT_EQ(sink.lost(), 1U);
    EXPECT_EQ(::fcntl(writing.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(TerminalTests, lines_of_several_threads_stay_whole_and_none_is_uncounted) {
    constexpr int lines = 2'000, writers = 3;
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    const UniqueFd reading{ends[0]};
    UniqueFd writing{ends[1]};
    TerminalSink sink{LogLevel::info, writing.get()};
    std::vector<std::jthread> threads;
    for (int writer = 0; writer < writers; ++writer)
        threads.emplace_back([&] {
            for (int i = 0; i < lines; ++i)
                sink.write(LogLevel::info, "line");
        });
    for (auto& thread : threads)
        thread.join();
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t size; (size = ::read(reading.get(), buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(size));
    std::uint64_t come = 0;
    for (std::size_t begin = 0; begin < text.size(); ++come) {
        const auto end = text.find('\n', begin);
        ASSERT_NE(end, std::string::npos);
        ASSERT_EQ(text.substr(begin, end - begin).substr(12), " info    line");
        begin = end + 1;
    }
    EXPECT_EQ(come + sink.lost(), std::uint64_t{lines} * writers);
    EXPECT_GT(sink.lost(), 0U);
}

TEST(TerminalTests, full_socket_loses_lines) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const UniqueFd reading{ends[0]}, writing{ends[1]};
    TerminalSink sink{LogLevel::info, writing.get()};
    for (int i = 0; i < 100'000 && sink.lost() == 0; ++i)
        sink.write(LogLevel::info, "line");
    EXPECT_EQ(sink.lost(), 1U);
}

}  // namespace
}  // namespace cmirror
