// What systemd is told, on a socket as it makes one.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>

#include "adapters/service_manager/systemd_manager.hpp"
#include "adapters/unique_fd.hpp"
#include "tests/cluster/temporary_folder.hpp"
#include "tests/support/unix_address.hpp"

namespace cmirror {
namespace {

TEST(SystemdManager, tells_its_state_to_the_socket_that_systemd_names) {
    const Folder folder;
    const auto path = folder.path + "/notify";
    const UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const sockaddr_un address = test::unix_address(path);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const auto next = [&socket] {
        std::array<char, 256> buffer;
        const auto size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        return size < 0 ? std::string{} : std::string(buffer.data(), static_cast<std::size_t>(size));
    };
    SystemdManager manager;
    manager.ready();
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    manager.ready();
    manager.status("serves 2 logs");
    manager.stopping();
    ::unsetenv("NOTIFY_SOCKET");
    EXPECT_EQ(next(), "READY=1");
    EXPECT_EQ(next(), "STATUS=serves 2 logs");
    EXPECT_EQ(next(), "STOPPING=1\nSTATUS=stopping");
    EXPECT_EQ(next(), "");
}

}  // namespace
}  // namespace cmirror
