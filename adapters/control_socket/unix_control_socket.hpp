// The control socket: Unix datagrams, with the sender's user as the system knows it.
#pragma once

#include <string>

#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

class UnixControlSocket final : public ControlSocket {
  public:
    /// Listens at `path` (mode 0600), in place of a socket that is there already: the daemon's lock file says that
    /// nobody else listens. An error's text says what to do.
    static Result<std::unique_ptr<UnixControlSocket>, std::string> open(const std::string& path);
    ~UnixControlSocket() override;

    int descriptor() const override { return socket_.get(); }
    std::optional<ControlDatagram> receive() override;
    void reply(const std::string& to, std::string_view text) override;

  private:
    UnixControlSocket(UniqueFd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}

    UniqueFd socket_;
    std::string path_;
};

/// Sends one request to the daemon that listens at `path` and waits for its reply, `timeout_ms` at most. An error's
/// text says what to do.
Result<std::string, std::string> ask_control_socket(const std::string& path, std::string_view request, int timeout_ms);

}  // namespace cmirror
