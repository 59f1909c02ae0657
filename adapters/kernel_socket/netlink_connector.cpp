#include "adapters/kernel_socket/netlink_connector.hpp"

#include <linux/connector.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

namespace cmirror {
namespace {

using Step = KernelSocketFailure::Step;

std::string socket_advice(int code) {
    if (code == EPROTONOSUPPORT || code == EAFNOSUPPORT)
        return "the kernel has no connector: load it with `modprobe cn`, or use a kernel built with CONFIG_CONNECTOR";
    if (code == EPERM || code == EACCES) return "no permission to open a netlink connector socket: run as root";
    return "cannot open a netlink connector socket";
}

std::string bind_advice(int code) {
    if (code == EPERM || code == EACCES)
        return "no permission to listen to the kernel's mirror requests: run with CAP_NET_ADMIN";
    return "cannot bind the netlink connector socket";
}

sockaddr_nl address_of_kernel() {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    return address;
}

/// Only the initial network namespace has the connector's kernel side. A bare header is ignored by it, and refused
/// where it does not exist.
int probe_kernel_side(int socket) {
    nlmsghdr header{};
    header.nlmsg_len = sizeof header;
    header.nlmsg_type = NLMSG_DONE;
    const auto kernel = address_of_kernel();
    if (::sendto(socket, &header, sizeof header, 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
        return errno;
    return 0;
}

void enlarge_receive_buffer(int socket) {
    const int size = NetlinkConnector::receive_buffer_bytes;
    // The second one is limited by net.core.rmem_max, but needs no rights.
    if (::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

}  // namespace

Result<std::unique_ptr<NetlinkConnector>, KernelSocketFailure> NetlinkConnector::open() {
    UniqueFd socket{::socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_CONNECTOR)};
    if (!socket.is_open()) return socket_failure(Step::socket, errno, socket_advice(errno));
    enlarge_receive_buffer(socket.get());
    // Port 0: the kernel chooses one that nobody has.
    auto address = address_of_kernel();
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return socket_failure(Step::bind, errno, bind_advice(errno));
    const int group = CN_IDX_DM;
    if (::setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
        return socket_failure(Step::group, errno, bind_advice(errno));
    socklen_t length = sizeof address;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
        return socket_failure(Step::bind, errno, bind_advice(errno));
    if (const int code = probe_kernel_side(socket.get()); code == ECONNREFUSED)
        return socket_failure(
            Step::bind, code,
            "the kernel's connector is not reachable from this network namespace: run in the initial one");
    return std::unique_ptr<NetlinkConnector>{new NetlinkConnector{std::move(socket), address.nl_pid}};
}

KernelDatagram NetlinkConnector::receive(std::span<std::byte> buffer) {
    using Kind = KernelDatagram::Kind;
    sockaddr_nl sender{};
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ssize_t size = 0;
    do
        size = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0) {
        if (errno == EAGAIN) return {Kind::none, 0, 0};
        if (errno == ENOBUFS) return {Kind::overrun, 0, 0};
        return {Kind::failed, 0, errno};
    }
    const bool from_kernel = message.msg_namelen == sizeof sender && sender.nl_pid == 0;
    return {from_kernel ? Kind::from_kernel : Kind::foreign, static_cast<std::size_t>(size), 0};
}

int NetlinkConnector::send(std::span<const std::byte> frame) {
    const auto kernel = address_of_kernel();
    ssize_t sent = 0;
    do
        sent = ::sendto(socket_.get(), frame.data(), frame.size(), MSG_DONTWAIT,
                        reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

int NetlinkConnector::receive_buffer_granted() const {
    int size = 0;
    socklen_t length = sizeof size;
    return ::getsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &size, &length) == 0 ? size : 0;
}

}  // namespace cmirror
