#include "adapters/control_socket/unix_control_socket.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "adapters/control_socket/unix_address.hpp"
#include "adapters/system_failure.hpp"
#include "messages/wire_control.hpp"

namespace cmirror {
namespace {

/// Marks the listening socket among what epoll tells of.
constexpr AskerId listener = 0;

bool watch(const UniqueFd& epoll, int operation, int descriptor, std::uint32_t events, AskerId asker) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = asker;
    return ::epoll_ctl(epoll.get(), operation, descriptor, &event) == 0;
}

/// The user at the other end; nobody's if the system does not say.
std::uint32_t user_of(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return static_cast<std::uint32_t>(-1);
    return credentials.uid;
}

/// Kept to be given up when there are no others.
UniqueFd spare_descriptor() {
    return UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

}  // namespace

Result<std::unique_ptr<UnixControlSocket>, std::string> UnixControlSocket::open(const std::string& path) {
    const auto address = unix_address(path);
    if (!address) return Failure<std::string>("the path of the control socket must have 1 to 107 characters: " + path);
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode)) return Failure<std::string>(path + " is not a socket: remove it");
        if (::unlink(path.c_str()) != 0) return system_failure("cannot remove " + path);
    }
    UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
    if (!socket.is_open() || !epoll.is_open()) return system_failure("cannot open the control socket");
    // The path gets the socket's own mode, so there is no moment at which it is open to others.
    if (::fchmod(socket.get(), S_IRUSR | S_IWUSR) != 0 ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
        ::listen(socket.get(), connections_max) != 0)
        return system_failure("cannot bind the control socket at " + path);
    UniqueFd spare = spare_descriptor();
    if (!watch(epoll, EPOLL_CTL_ADD, socket.get(), EPOLLIN, listener) || !spare.is_open())
        return system_failure("cannot watch the control socket");
    return std::unique_ptr<UnixControlSocket>{
        new UnixControlSocket{std::move(epoll), std::move(socket), std::move(spare), path}};
}

UnixControlSocket::~UnixControlSocket() {
    ::unlink(path_.c_str());
}

std::optional<ControlQuestion> UnixControlSocket::receive() {
    // One a call: the descriptor stays readable while there is more, and other work has its turn.
    epoll_event event{};
    if (::epoll_wait(epoll_.get(), &event, 1, 0) != 1) return std::nullopt;
    // A copy: the event is packed, so no reference to it may be taken.
    const std::uint64_t asker = event.data.u64;
    if (asker == listener) {
        accept_one();
        return std::nullopt;
    }
    const auto found = connections_.find(asker);
    if (found == connections_.end()) return std::nullopt;
    if ((event.events & EPOLLIN) != 0) return read_from(found->first, found->second);
    if ((event.events & EPOLLOUT) != 0)
        write_to(found->first, found->second);
    else
        connections_.erase(found);
    return std::nullopt;
}

void UnixControlSocket::accept_one() {
    UniqueFd socket{::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!socket.is_open() && (errno == EMFILE || errno == ENFILE)) return turn_away();
    if (!socket.is_open()) return;
    if (connections_.size() >= connections_max) connections_.erase(connections_.begin());
    const auto asker = next_asker_++;
    if (!watch(epoll_, EPOLL_CTL_ADD, socket.get(), EPOLLIN, asker)) return;
    auto& connection = connections_[asker];
    connection.user = user_of(socket.get());
    connection.socket = std::move(socket);
}

/// Whoever waits to be accepted keeps the socket readable, which would keep this process busy for nothing.
void UnixControlSocket::turn_away() {
    spare_.reset();
    UniqueFd{::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)}.reset();
    spare_ = spare_descriptor();
}

std::optional<ControlQuestion> UnixControlSocket::read_from(AskerId asker, Connection& connection) {
    std::array<char, control_request_max> text;
    const ssize_t size =
        ::recv(connection.socket.get(), text.data(), text.size() - connection.question.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (size <= 0) {
        connections_.erase(asker);
        return std::nullopt;
    }
    auto& question = connection.question;
    question.append(text.data(), static_cast<std::size_t>(size));
    const auto end = question.find('\n');
    if (end == std::string::npos && question.size() < control_request_max) return std::nullopt;
    // What is too long is no request: it does not parse. What is behind the line is left alone.
    question.resize(std::min(end, question.size()));
    // From now on its end alone is of interest.
    watch(epoll_, EPOLL_CTL_MOD, connection.socket.get(), 0, asker);
    return ControlQuestion{std::move(question), connection.user, asker};
}

void UnixControlSocket::reply(AskerId asker, std::string text) {
    const auto found = connections_.find(asker);
    if (found == connections_.end()) return;
    found->second.reply = std::move(text);
    write_to(asker, found->second);
}

void UnixControlSocket::write_to(AskerId asker, Connection& connection) {
    auto& [socket, user, question, reply, sent] = connection;
    while (sent < reply.size()) {
        const ssize_t size =
            ::send(socket.get(), reply.data() + sent, reply.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN && watch(epoll_, EPOLL_CTL_MOD, socket.get(), EPOLLOUT, asker)) return;
        if (size < 0) break;
        sent += static_cast<std::size_t>(size);
    }
    connections_.erase(asker);
}

}  // namespace cmirror
