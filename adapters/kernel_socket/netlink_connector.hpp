// The kernel's side of the userspace log protocol: netlink, protocol NETLINK_CONNECTOR (spec/kernel.md, "Transport").
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "adapters/system_failure.hpp"
#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// Why the kernel cannot be reached.
struct KernelSocketFailure {
    enum class Step : std::uint8_t {
        socket,  ///< no socket of that kind can be had
        bind,    ///< the socket cannot be bound
        group    ///< it may not join the kernel's multicast group
    };
    Step step = Step::socket;
    /// Positive errno.
    int code = 0;
    /// One line that says what to do.
    std::string text;
};

inline Failure<KernelSocketFailure> socket_failure(KernelSocketFailure::Step step, int code, const std::string& text) {
    return Failure<KernelSocketFailure>{{step, code, with_reason(text, code)}};
}

class NetlinkConnector final : public KernelSocket {
  public:
    /// Asked for with SO_RCVBUFFORCE (the kernel doubles it): a full buffer loses requests.
    static constexpr int receive_buffer_bytes = 8 << 20;

    /// Opens the socket, binds it to a port of its own and joins the group CN_IDX_DM. Needs CAP_NET_ADMIN and the
    /// initial network namespace; says which one is missing. (Linux 6.6 and later let anyone join: success here does
    /// not prove the right, so check_privileges() comes first.)
    static Result<std::unique_ptr<NetlinkConnector>, KernelSocketFailure> open();

    int descriptor() const override { return socket_.get(); }
    KernelDatagram receive(std::span<std::byte> buffer) override;
    int send(std::span<const std::byte> frame) override;

    /// The netlink port that the socket was given.
    std::uint32_t port() const { return port_; }
    /// What the kernel granted as receive buffer, in bytes (its own bookkeeping included).
    int receive_buffer_granted() const;

  private:
    NetlinkConnector(UniqueFd socket, std::uint32_t port) : socket_(std::move(socket)), port_(port) {}

    UniqueFd socket_;
    std::uint32_t port_ = 0;
};

}  // namespace cmirror
