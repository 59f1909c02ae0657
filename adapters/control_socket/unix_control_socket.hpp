// The control socket: Unix stream connections, with the sender's user as the system knows it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// One line a question, one reply, then the connection ends. Nothing here waits for an asker: what one does not take is
/// kept for it, and the oldest gives way when there are too many.
class UnixControlSocket final : public ControlSocket {
  public:
    /// Askers at once.
    static constexpr std::size_t connections_max = 16;

    /// Listens at `path` (mode 0600), in place of a socket that is there already: the daemon's lock file says that
    /// nobody else listens. An error's text says what to do.
    static Result<std::unique_ptr<UnixControlSocket>, std::string> open(const std::string& path);
    ~UnixControlSocket() override;

    /// Readable when there is something to do for any connection.
    int descriptor() const override { return epoll_.get(); }
    std::optional<ControlQuestion> receive() override;
    void reply(AskerId asker, std::string text) override;

    std::size_t connections() const { return connections_.size(); }

  private:
    struct Connection {
        UniqueFd socket;
        std::uint32_t user = 0;
        std::string question;
        std::string reply;
        std::size_t sent = 0;
    };

    UnixControlSocket(UniqueFd epoll, UniqueFd socket, UniqueFd spare, std::string path)
        : epoll_(std::move(epoll)), socket_(std::move(socket)), spare_(std::move(spare)), path_(std::move(path)) {}

    void accept_one();
    void turn_away();
    std::optional<ControlQuestion> read_from(AskerId asker, Connection& connection);
    void write_to(AskerId asker, Connection& connection);

    UniqueFd epoll_;
    UniqueFd socket_;
    UniqueFd spare_;
    std::string path_;
    /// The oldest first.
    std::map<AskerId, Connection> connections_;
    AskerId next_asker_ = 1;
};

/// Asks the daemon that listens at `path` one question and waits for its whole reply, `timeout_ms` at most. An error's
/// text says what to do.
Result<std::string, std::string> ask_control_socket(const std::string& path, std::string_view question, int timeout_ms);

}  // namespace cmirror
