#include "adapters/kernel_socket/unix_datagram_socket.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cmirror {
namespace {

using Step = KernelSocketFailure::Step;

/// Removes a socket that nobody listens on. 0, or a positive errno if `path` is in use by something else.
int remove_stale(const std::string& path, const sockaddr_un& address) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(status.st_mode)) return EEXIST;
    const UniqueFd probe{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (!probe.is_open()) return errno;
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return EADDRINUSE;
    if (errno != ECONNREFUSED) return EADDRINUSE;
    return ::unlink(path.c_str()) == 0 ? 0 : errno;
}

}  // namespace

Result<std::unique_ptr<UnixDatagramSocket>, KernelSocketFailure> UnixDatagramSocket::open(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return socket_failure(Step::bind, ENAMETOOLONG,
                              "the path of the kernel's stand-in must have 1 to 107 characters: " + path);
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket.is_open()) return socket_failure(Step::socket, errno, "cannot open a Unix datagram socket");
    // The connector takes any number of answers; without the right to ask for this, fewer at once.
    constexpr int send_buffer_bytes = 4 << 20;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer_bytes, sizeof send_buffer_bytes);
    if (const int code = remove_stale(path, address); code != 0)
        return socket_failure(Step::bind, code,
                              path + " is not a socket that can be replaced: remove it or name another");
    // The path gets the socket's own mode, so there is no moment at which it is open to others.
    if (::fchmod(socket.get(), S_IRUSR | S_IWUSR) != 0 ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return socket_failure(Step::bind, errno, "cannot bind a socket at " + path);
    auto opened = std::unique_ptr<UnixDatagramSocket>{new UnixDatagramSocket{std::move(socket), path}};
    const auto stand_in = path + ".stand-in";
    if (stand_in.size() < sizeof address.sun_path) {
        std::memcpy(address.sun_path, stand_in.data(), stand_in.size());
        opened->peer_ = address;
        opened->peer_length_ = sizeof address;
    }
    return opened;
}

std::unique_ptr<UnixDatagramSocket> UnixDatagramSocket::adopt(UniqueFd socket) {
    const int flags = ::fcntl(socket.get(), F_GETFL);
    ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);
    return std::unique_ptr<UnixDatagramSocket>{new UnixDatagramSocket{std::move(socket), {}}};
}

UnixDatagramSocket::~UnixDatagramSocket() {
    if (!path_.empty()) ::unlink(path_.c_str());
}

KernelDatagram UnixDatagramSocket::receive(std::span<std::byte> buffer) {
    using Kind = KernelDatagram::Kind;
    // Only a bound socket has several senders.
    const bool adopted = path_.empty();
    sockaddr_un sender;
    socklen_t length = sizeof sender;
    ssize_t size = 0;
    do
        size = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                          adopted ? nullptr : reinterpret_cast<sockaddr*>(&sender), adopted ? nullptr : &length);
    while (size < 0 && errno == EINTR);
    if (size < 0) {
        if (errno == EAGAIN) return {Kind::none, 0, 0};
        if (errno == ECONNRESET || errno == ENOTCONN) return {Kind::closed, 0, 0};
        return {Kind::failed, 0, errno};
    }
    if (!adopted) {
        // A sender without a name cannot be answered, and must not get the answers of an earlier one.
        peer_ = sender;
        peer_length_ = length > sizeof(sa_family_t) ? length : 0;
    }
    return {Kind::from_kernel, static_cast<std::size_t>(size), 0};
}

int UnixDatagramSocket::send(std::span<const std::byte> frame) {
    const bool adopted = path_.empty();
    if (!adopted && peer_length_ == 0) return ENOTCONN;
    const auto* peer = adopted ? nullptr : reinterpret_cast<const sockaddr*>(&peer_);
    ssize_t sent = 0;
    do
        sent = ::sendto(socket_.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL, peer,
                        adopted ? 0 : peer_length_);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) return 0;
    // Nobody is at the name that stands for whoever has not sent yet.
    return errno == ENOENT || errno == ECONNREFUSED ? ENOTCONN : errno;
}

}  // namespace cmirror
