// Where lines go: syslog, the journal, a terminal.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "adapters/log_sink/datagram_writer.hpp"
#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// "error", "warning", "notice", "info" or "debug".
std::string_view name_of(LogLevel level);
/// syslog's number for it.
int priority_of(LogLevel level);

/// Writes to syslog's datagram socket in the form of RFC 3164, facility daemon. syslog(3) may block; this does not: see
/// DatagramWriter. May be used by several threads.
class SyslogSink final : public LogSink {
  public:
    static constexpr std::size_t waiting_max = DatagramWriter::waiting_max;

    explicit SyslogSink(std::string ident = "cmirrord", const std::string& path = "/dev/log");

    void write(LogLevel level, std::string_view line) noexcept override;
    /// Lines that were lost so far.
    std::uint64_t lost() const { return writer_.lost(); }

  private:
    std::string datagram_of(LogLevel level, std::string_view line) const;

    std::string ident_;
    DatagramWriter writer_;
};

/// Writes to systemd's journal in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), which keeps fields:
/// MESSAGE_ID for what a LogEvent names, CMIRROR_UUID for a mirror's log. sd_journal_send(3) may block; this does not.
class JournalSink final : public LogSink {
  public:
    explicit JournalSink(const std::string& path = "/run/systemd/journal/socket");

    void write(LogLevel level, std::string_view line) noexcept override { write_about({}, level, line); }
    void write_about(const LogSubject& subject, LogLevel level, std::string_view line) noexcept override;
    std::uint64_t lost() const { return writer_.lost(); }

  private:
    DatagramWriter writer_;
};

/// The MESSAGE_ID of lines about this event, 32 hexadecimal digits; empty for `none`.
std::string_view message_id(LogEvent event);
/// Whether `descriptor` is connected to the journal: systemd says so in $JOURNAL_STREAM.
bool in_journal(int descriptor);

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
