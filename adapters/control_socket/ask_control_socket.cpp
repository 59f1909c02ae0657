// The asker's end of the control socket.
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "adapters/control_socket/unix_address.hpp"
#include "adapters/control_socket/unix_control_socket.hpp"
#include "adapters/system_failure.hpp"

namespace cmirror {
namespace {

using Clock = std::chrono::steady_clock;

/// Bytes of a reply at most.
constexpr std::size_t reply_max = std::size_t{64} << 20U;

Result<UniqueFd, std::string> connect_to(const std::string& path) {
    const auto address = unix_address(path);
    if (!address) return Failure<std::string>("the path of the control socket is too long: " + path);
    UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!socket.is_open()) return system_failure("cannot open a socket");
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0) return socket;
    if (errno == EACCES) return Failure<std::string>("no permission to use " + path + ": run it as root");
    return system_failure("cmirrord does not run here, nobody listens at " + path +
                          ": start it with \"systemctl start lvm2-cmirrord\"");
}

}  // namespace

Result<std::string, std::string> ask_control_socket(const std::string& path, std::string_view question,
                                                    int timeout_ms) {
    auto socket = connect_to(path);
    if (!socket) return Failure<std::string>(socket.error());
    const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
    const std::string line = std::string(question) + "\n";
    if (::send(socket->get(), line.data(), line.size(), MSG_NOSIGNAL) < 0)
        return system_failure("cannot send the request");
    std::string reply;
    std::array<char, 65536> part;
    while (reply.size() < reply_max) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd entry{socket->get(), POLLIN, 0};
        const int ready = left <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(left));
        if (ready == 0) return Failure<std::string>("cmirrord does not answer: look at its log");
        const ssize_t size = ready < 0 ? -1 : ::recv(socket->get(), part.data(), part.size(), 0);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return system_failure("cannot receive the reply");
        if (size == 0 && reply.empty()) return Failure<std::string>("cmirrord ended the connection: look at its log");
        if (size == 0) return reply;
        reply.append(part.data(), static_cast<std::size_t>(size));
    }
    return Failure<std::string>("the reply is too long");
}

}  // namespace cmirror
