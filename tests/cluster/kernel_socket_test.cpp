// The kernel's socket: a real netlink connector, and its stand-in.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "adapters/kernel_socket/netlink_connector.hpp"
#include "adapters/kernel_socket/unix_datagram_socket.hpp"

namespace cmirror {
namespace {

using Kind = KernelDatagram::Kind;
using Step = KernelSocketFailure::Step;

template <class Open>
auto opened_or_fail(const Open& open) {
    auto opened = open();
    EXPECT_TRUE(opened.has_value()) << opened.error().text;
    return opened;
}

bool becomes_readable(int descriptor) {
    pollfd entry{descriptor, POLLIN, 0};
    return ::poll(&entry, 1, 30'000) == 1;
}

class NetlinkConnectorTests : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = opened_or_fail(NetlinkConnector::open);
        ASSERT_TRUE(opened.has_value());
        socket = std::move(*opened);
    }
    /// Another process' datagram, to our port or to the kernel's group.
    void someone_sends(std::uint32_t port, std::uint32_t groups) {
        const UniqueFd other{::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR)};
        std::array<char, NLMSG_SPACE(sizeof(cn_msg))> frame{};
        auto* header = reinterpret_cast<nlmsghdr*>(frame.data());
        header->nlmsg_len = NLMSG_LENGTH(sizeof(cn_msg));
        header->nlmsg_type = NLMSG_DONE;
        sockaddr_nl address{};
        address.nl_family = AF_NETLINK;
        address.nl_pid = port;
        address.nl_groups = groups;
        ASSERT_GT(
            ::sendto(other.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&address), sizeof address),
            0)
            << std::strerror(errno);
    }

    std::unique_ptr<NetlinkConnector> socket;
    std::array<std::byte, 1024> buffer{};
};

TEST_F(NetlinkConnectorTests, several_have_ports_of_their_own) {
    auto other = opened_or_fail(NetlinkConnector::open);
    ASSERT_TRUE(other.has_value());
    EXPECT_NE(socket->port(), 0U);
    EXPECT_NE(socket->port(), (*other)->port());
}

TEST_F(NetlinkConnectorTests, receive_buffer_is_large) {
    EXPECT_GE(socket->receive_buffer_granted(), NetlinkConnector::receive_buffer_bytes);
}

TEST_F(NetlinkConnectorTests, nothing_waits_at_first) {
    EXPECT_EQ(socket->receive(buffer).kind, Kind::none);
}

TEST_F(NetlinkConnectorTests, datagram_of_another_process_is_foreign) {
    someone_sends(socket->port(), 0);
    ASSERT_TRUE(becomes_readable(socket->descriptor()));
    const auto datagram = socket->receive(buffer);
    EXPECT_EQ(datagram.kind, Kind::foreign);
    EXPECT_GE(datagram.size, sizeof(nlmsghdr) + sizeof(cn_msg));
}

TEST_F(NetlinkConnectorTests, datagram_of_another_process_to_the_kernel_s_group_is_foreign) {
    someone_sends(0, 1U << (CN_IDX_DM - 1));
    ASSERT_TRUE(becomes_readable(socket->descriptor()));
    EXPECT_EQ(socket->receive(buffer).kind, Kind::foreign);
}

TEST_F(NetlinkConnectorTests, full_buffer_is_an_overrun_and_the_socket_works_on) {
    const int little = 1;
    ASSERT_EQ(::setsockopt(socket->descriptor(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
    // A multicast to a full buffer is lost for the receiver and marks its socket.
    for (int i = 0; i < 100; ++i)
        someone_sends(0, 1U << (CN_IDX_DM - 1));
    bool overrun = false;
    auto datagram = socket->receive(buffer);
    for (; datagram.kind != Kind::none; datagram = socket->receive(buffer)) {
        ASSERT_NE(datagram.kind, Kind::failed) << std::strerror(datagram.code);
        overrun = overrun || datagram.kind == Kind::overrun;
    }
    EXPECT_TRUE(overrun);
    someone_sends(socket->port(), 0);
    EXPECT_EQ(socket->receive(buffer).kind, Kind::foreign);
}

TEST_F(NetlinkConnectorTests, kernel_takes_a_frame) {
    std::array<std::byte, NLMSG_SPACE(sizeof(cn_msg))> frame{};
    auto* header = reinterpret_cast<nlmsghdr*>(frame.data());
    header->nlmsg_len = NLMSG_LENGTH(sizeof(cn_msg));
    header->nlmsg_type = NLMSG_DONE;
    EXPECT_EQ(socket->send(frame), 0);
}

/// Runs `check` in a child, since namespaces and rights are not given back; true if it says so.
template <class Check>
bool in_child(const Check& check) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(check() ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(NetlinkConnectorFailures, other_network_namespace_is_said_to_be_one) {
    EXPECT_TRUE(in_child([] {
        if (::unshare(CLONE_NEWNET) != 0) return false;
        const auto opened = NetlinkConnector::open();
        return !opened && opened.error().step == Step::bind &&
               opened.error().text.find("network namespace") != std::string::npos;
    }));
}

// Kernels from 6.6 on let any user join this group; the check of privileges is what finds the right missing then.
TEST(NetlinkConnectorFailures, right_that_the_kernel_misses_is_named) {
    EXPECT_TRUE(in_child([] {
        if (::setresuid(65534, 65534, 65534) != 0) return false;
        const auto opened = NetlinkConnector::open();
        return opened || (opened.error().step == Step::bind && opened.error().code == EPERM &&
                          opened.error().text.find("CAP_NET_ADMIN") != std::string::npos);
    }));
}

class UnixDatagramSocketTests : public ::testing::Test {
  protected:
    UnixDatagramSocketTests() {
        std::string pattern = "/tmp/cmirror-socket-XXXXXX";
        EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
        folder = pattern;
        path = folder + "/kernel";
    }
    ~UnixDatagramSocketTests() override { std::filesystem::remove_all(folder); }

    static sockaddr_un address_of(const std::string& name) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        return address;
    }
    /// A kernel's stand-in, connected to the daemon's socket; without a name if `name` is empty.
    UniqueFd peer(const std::string& name) {
        UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        if (!name.empty()) {
            const auto own = address_of(folder + "/" + name);
            EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
        }
        const auto daemon = address_of(path);
        EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&daemon), sizeof daemon), 0);
        return socket;
    }

    std::string folder, path;
    std::array<std::byte, 64> buffer{};
    const std::array<std::byte, 1> answer{std::byte{1}};
};

TEST_F(UnixDatagramSocketTests, answers_go_to_the_most_recent_sender) {
    const auto socket = opened_or_fail([&] { return UnixDatagramSocket::open(path); });
    ASSERT_TRUE(socket.has_value());
    EXPECT_EQ((*socket)->send(answer), ENOTCONN);
    const auto first = peer("first"), second = peer("second");
    ASSERT_EQ(::send(first.get(), "a", 1, 0), 1);
    ASSERT_EQ(::send(second.get(), "b", 1, 0), 1);
    EXPECT_EQ((*socket)->receive(buffer).kind, Kind::from_kernel);
    EXPECT_EQ((*socket)->receive(buffer).kind, Kind::from_kernel);
    EXPECT_EQ((*socket)->receive(buffer).kind, Kind::none);
    EXPECT_EQ((*socket)->send(answer), 0);
    EXPECT_EQ(::recv(first.get(), buffer.data(), 1, 0), -1);
    EXPECT_EQ(::recv(second.get(), buffer.data(), 1, 0), 1);
}

TEST_F(UnixDatagramSocketTests, sender_without_a_name_gets_no_answer_and_nobody_else_does) {
    const auto socket = opened_or_fail([&] { return UnixDatagramSocket::open(path); });
    ASSERT_TRUE(socket.has_value());
    const auto named = peer("named"), unnamed = peer("");
    ASSERT_EQ(::send(named.get(), "a", 1, 0), 1);
    ASSERT_EQ(::send(unnamed.get(), "b", 1, 0), 1);
    (*socket)->receive(buffer);
    (*socket)->receive(buffer);
    EXPECT_EQ((*socket)->send(answer), ENOTCONN);
}

TEST_F(UnixDatagramSocketTests, only_its_owner_may_write_to_it) {
    const auto socket = opened_or_fail([&] { return UnixDatagramSocket::open(path); });
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(UnixDatagramSocketTests, socket_in_use_is_left_alone) {
    const auto socket = opened_or_fail([&] { return UnixDatagramSocket::open(path); });
    const auto second = UnixDatagramSocket::open(path);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, EADDRINUSE);
    EXPECT_EQ(second.error().step, Step::bind);
}

TEST_F(UnixDatagramSocketTests, stale_socket_is_replaced) {
    {
        const UniqueFd dead{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        const auto address = address_of(path);
        ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    EXPECT_TRUE(UnixDatagramSocket::open(path).has_value());
}

TEST_F(UnixDatagramSocketTests, file_of_another_kind_is_left_alone) {
    std::ofstream{path} << "precious";
    EXPECT_EQ(UnixDatagramSocket::open(path).error().code, EEXIST);
    EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST_F(UnixDatagramSocketTests, path_goes_away_with_the_socket) {
    opened_or_fail([&] { return UnixDatagramSocket::open(path); });
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(UnixDatagramSocketTests, path_that_is_too_long_is_refused) {
    EXPECT_EQ(UnixDatagramSocket::open("/" + std::string(200, 'p')).error().code, ENAMETOOLONG);
}

TEST_F(UnixDatagramSocketTests, adopted_socket_answers_its_peer) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const UniqueFd other{ends[1]};
    const auto socket = UnixDatagramSocket::adopt(UniqueFd{ends[0]});
    EXPECT_EQ(socket->receive(buffer).kind, Kind::none);
    ASSERT_EQ(::send(other.get(), "abc", 3, 0), 3);
    EXPECT_EQ(socket->receive(buffer).size, 3U);
    EXPECT_EQ(socket->send(answer), 0);
    EXPECT_EQ(::recv(other.get(), buffer.data(), 1, 0), 1);
}

}  // namespace
}  // namespace cmirror
