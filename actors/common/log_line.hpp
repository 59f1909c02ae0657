// Lines that a core wants logged, as values, and the limit on how often a kind of line comes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/identity.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// A point in the monotonic time that shells pass to cores.
using TimePoint = std::chrono::steady_clock::time_point;

/// A line for the LogSink.
struct LogLine {
    LogLevel level = LogLevel::info;
    std::string text;
    LogEvent event = LogEvent::none;

    friend bool operator==(const LogLine&, const LogLine&) = default;
};
using LogLines = std::vector<LogLine>;

/// A luid as it is printed everywhere, e.g. "0xffff8d775af61000".
std::string hexadecimal(Luid luid);

/// Lets one line of a kind pass in every interval and counts the others, so that bad input cannot flood the log.
class LineLimiter {
  public:
    static constexpr std::chrono::seconds interval_default{10};
    /// Kinds that are told apart; further ones share one limit.
    static constexpr std::size_t kinds_max = 64;

    explicit LineLimiter(std::chrono::nanoseconds interval = interval_default) : interval_(interval) {}

    /// Nothing if a line of this kind was let pass less than an interval ago; else how many were held back since.
    std::optional<std::uint64_t> admit(std::string_view kind, TimePoint now);

    /// Appends `text` to `lines` if it may pass, with the number of those held back.
    void add(LogLines& lines, LogLevel level, std::string_view kind, std::string text, TimePoint now);

  private:
    struct Kind {
        TimePoint last_passed;
        std::uint64_t held_back = 0;
    };

    std::chrono::nanoseconds interval_;
    std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace cmirror
