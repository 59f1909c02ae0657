#include "adapters/control_socket/unix_control_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "messages/wire_control.hpp"

namespace cmirror {
namespace {

constexpr std::size_t reply_max = 65536;

Failure<std::string> failure(const std::string& what) {
    return Failure<std::string>(what + " (" + std::strerror(errno) + ")");
}

/// Nothing if the path is too long.
std::optional<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// The sender's user, which the system vouches for; nobody's if it does not say.
uid_t user_of(msghdr& message) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
        ucred credentials{};
        std::memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
        return credentials.uid;
    }
    return static_cast<uid_t>(-1);
}

}  // namespace

Result<std::unique_ptr<UnixControlSocket>, std::string> UnixControlSocket::open(const std::string& path) {
    const auto address = address_of(path);
    if (!address) return Failure<std::string>("the path of the control socket must have 1 to 107 characters: " + path);
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode)) return Failure<std::string>(path + " is not a socket: remove it");
        if (::unlink(path.c_str()) != 0) return failure("cannot remove " + path);
    }
    UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket.is_open()) return failure("cannot open the control socket");
    const int on = 1;
    // The path gets the socket's own mode, so there is no moment at which it is open to others.
    if (::fchmod(socket.get(), S_IRUSR | S_IWUSR) != 0 ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
        return failure("cannot bind the control socket at " + path);
    return std::unique_ptr<UnixControlSocket>{new UnixControlSocket{std::move(socket), path}};
}

UnixControlSocket::~UnixControlSocket() {
    ::unlink(path_.c_str());
}

std::optional<ControlDatagram> UnixControlSocket::receive() {
    std::array<char, control_request_max> text;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
    sockaddr_un sender{};
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return std::nullopt;
    ControlDatagram datagram;
    datagram.user = user_of(message);
    // What did not fit is no request: it does not parse.
    datagram.text.assign(text.data(), static_cast<std::size_t>(size));
    if (message.msg_namelen > sizeof(sa_family_t))
        datagram.reply_to.assign(reinterpret_cast<const char*>(&sender), message.msg_namelen);
    return datagram;
}

void UnixControlSocket::reply(const std::string& to, std::string_view text) {
    if (to.empty()) return;
    // Who does not wait for the reply any more gets none.
    (void)::sendto(socket_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(to.data()), static_cast<socklen_t>(to.size()));
}

Result<std::string, std::string> ask_control_socket(const std::string& path, std::string_view request, int timeout_ms) {
    const auto address = address_of(path);
    if (!address) return Failure<std::string>("the path of the control socket is too long: " + path);
    const UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    // Only the family: the system chooses an abstract name, so that there is someone to reply to.
    const sa_family_t family = AF_UNIX;
    if (!socket.is_open() || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&family), sizeof family) != 0)
        return failure("cannot open a socket");
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
        if (errno == EACCES) return Failure<std::string>("no permission to use " + path + ": run it as root");
        return failure("cmirrord does not run here: nobody listens at " + path);
    }
    if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
        return failure("cannot send the request");
    pollfd entry{socket.get(), POLLIN, 0};
    const int ready = ::poll(&entry, 1, timeout_ms);
    if (ready == 0) return Failure<std::string>("cmirrord does not answer: look at its log");
    std::string reply(reply_max, '\0');
    const ssize_t size = ready < 0 ? -1 : ::recv(socket.get(), reply.data(), reply.size(), 0);
    if (size < 0) return failure("cannot receive the reply");
    reply.resize(static_cast<std::size_t>(size));
    return reply;
}

}  // namespace cmirror
