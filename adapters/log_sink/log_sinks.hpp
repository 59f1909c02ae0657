// Where lines go: syslog, a terminal.
#pragma once

#include <sys/un.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// "error", "warning", "notice", "info" or "debug".
std::string_view name_of(LogLevel level);

/// Writes to syslog's datagram socket in the form of RFC 3164, facility daemon. syslog(3) blocks while that socket is
/// full; this does not: a bounded number of lines waits for a thread that does. Lines beyond that are counted, and the
/// next one that can be sent is followed by one that says how many were lost. May be used by several threads.
class SyslogSink final : public LogSink {
  public:
    /// Lines that wait at most while the socket is full.
    static constexpr std::size_t waiting_max = 4096;

    explicit SyslogSink(std::string ident = "cmirrord", const std::string& path = "/dev/log");
    /// Gives waiting lines a second to go out.
    ~SyslogSink() override;

    void write(LogLevel level, std::string_view line) noexcept override;
    /// Lines that were lost so far.
    std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

  private:
    enum class Sent : std::uint8_t { done, full, failed };
    std::string datagram_of(LogLevel level, std::string_view line) const;
    Sent send(const std::string& datagram, int flags) noexcept;
    void queue(std::string datagram);
    void send_waiting();
    void count_lost() noexcept;
    void tell_lost() noexcept;

    std::string ident_;
    UniqueFd socket_;
    sockaddr_un address_{};
    std::atomic<std::uint64_t> lost_{0};
    std::atomic<std::uint64_t> lost_untold_{0};
    /// Guards the three below.
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> waiting_;
    bool stopping_ = false;
    /// Started when a line first has to wait.
    std::thread writer_;
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
