// What a datagram costs that nobody thinks about: a bare poll-recv-send loop, in a process of its own.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "adapters/unique_fd.hpp"
#include "messages/wire_kernel.hpp"

namespace cmirror::bench {

/// Sends every datagram back to where it came from.
[[noreturn]] inline void serve_echo(int socket) {
    std::array<std::byte, kernel_frame_size_max> buffer;
    pollfd entry{socket, POLLIN, 0};
    for (;;) {
        if (::poll(&entry, 1, -1) < 1) continue;
        sockaddr_un sender{};
        socklen_t length = sizeof sender;
        auto* address = reinterpret_cast<sockaddr*>(&sender);
        const ssize_t size = ::recvfrom(socket, buffer.data(), buffer.size(), MSG_DONTWAIT, address, &length);
        if (size > 0) (void)::sendto(socket, buffer.data(), static_cast<std::size_t>(size), 0, address, length);
    }
}

/// Answers every datagram with `reply` until its other end is closed.
[[noreturn]] inline void serve_bare(int socket, const std::vector<std::byte>& reply) {
    std::array<std::byte, kernel_frame_size_max> buffer;
    pollfd entry{socket, POLLIN, 0};
    for (;;) {
        if (::poll(&entry, 1, -1) < 1) continue;
        if (::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT) <= 0) ::_exit(0);
        (void)::send(socket, reply.data(), reply.size(), 0);
    }
}

/// A process that serves one end of a pair of sockets; `socket` is the other end.
struct Server {
    pid_t process = -1;
    UniqueFd socket;

    void end() const {
        ::kill(process, SIGKILL);
        ::waitpid(process, nullptr, 0);
    }
};

/// `serve` gets its end of the sockets in a new process, and does not return.
template <class Serve>
Server start_server(Serve serve) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        std::perror("socketpair");
        std::exit(EXIT_FAILURE);
    }
    Server server{::fork(), UniqueFd{ends[0]}};
    if (server.process == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        server.socket = UniqueFd{};
        serve(UniqueFd{ends[1]});
    }
    ::close(ends[1]);
    return server;
}

}  // namespace cmirror::bench
