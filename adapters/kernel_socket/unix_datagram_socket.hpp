// A stand-in for the kernel: a program that talks the connector's frames over a Unix datagram socket.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "adapters/kernel_socket/netlink_connector.hpp"
#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// For tests and demonstrations; whoever may write to the socket is taken for the kernel.
class UnixDatagramSocket final : public KernelSocket {
  public:
    /// Binds a socket at `path`, mode 0600. A socket there that nobody listens on is replaced; a socket in use or any
    /// other kind of file is an error. Answers go to the most recent sender, which must have a name; before there is
    /// one, to a socket at `path`.stand-in.
    static Result<std::unique_ptr<UnixDatagramSocket>, KernelSocketFailure> open(const std::string& path);
    /// Takes a connected socket over (one end of a socketpair); answers go to its peer.
    static std::unique_ptr<UnixDatagramSocket> adopt(UniqueFd socket);

    /// Removes the path that it bound.
    ~UnixDatagramSocket() override;

    int descriptor() const override { return socket_.get(); }
    KernelDatagram receive(std::span<std::byte> buffer) override;
    /// ENOTCONN if the most recent sender cannot be answered or is gone, or nobody has sent and no stand-in listens.
    int send(std::span<const std::byte> frame) override;

  private:
    UnixDatagramSocket(UniqueFd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}

    UniqueFd socket_;
    /// Empty for an adopted socket.
    std::string path_;
    sockaddr_un peer_{};
    socklen_t peer_length_ = 0;
};

}  // namespace cmirror
