// Where lines go: syslog, a terminal.
#pragma once

#include <sys/un.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// "error", "warning", "notice", "info" or "debug".
std::string_view name_of(LogLevel level);

/// Writes to syslog's datagram socket in the form of RFC 3164, facility daemon. syslog(3) blocks while that socket is
/// full; this does not: a line that cannot be sent is counted, and the next one that can is followed by one that says
/// how many were lost. May be used by several threads.
class SyslogSink final : public LogSink {
  public:
    explicit SyslogSink(std::string ident = "cmirrord", const std::string& path = "/dev/log");

    void write(LogLevel level, std::string_view line) noexcept override;
    /// Lines that were lost so far.
    std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

  private:
    bool send(LogLevel level, std::string_view line) noexcept;

    std::string ident_;
    UniqueFd socket_;
    sockaddr_un address_{};
    std::atomic<std::uint64_t> lost_{0};
    std::atomic<std::uint64_t> lost_untold_{0};
};

/// Writes `HH:MM:SS.mmm level line` to a terminal, pipe or file without ever waiting for it. May be used by several
/// threads. The process must ignore SIGPIPE: whoever reads the pipe may go away.
class TerminalSink final : public LogSink {
  public:
    /// Lines above `least` (of less importance) are left out. `descriptor` stays the caller's, and its flags as they
    /// are: others share them.
    explicit TerminalSink(LogLevel least = LogLevel::info, int descriptor = 2);

    void write(LogLevel level, std::string_view line) noexcept override;
    std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

  private:
    LogLevel least_;
    UniqueFd own_;
    bool is_socket_ = false;
    std::atomic<std::uint64_t> lost_{0};
};

}  // namespace cmirror
