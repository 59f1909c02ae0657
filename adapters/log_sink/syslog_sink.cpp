#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "adapters/log_sink/log_sinks.hpp"

namespace cmirror {
namespace {

/// What syslog daemons take for sure; a longer line is cut.
constexpr std::size_t datagram_max = 2048;

}  // namespace

int priority_of(LogLevel level) {
    switch (level) {
        case LogLevel::error:
            return LOG_ERR;
        case LogLevel::warning:
            return LOG_WARNING;
        case LogLevel::notice:
            return LOG_NOTICE;
        case LogLevel::info:
            return LOG_INFO;
        case LogLevel::debug:
            break;
    }
    return LOG_DEBUG;
}

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::error:
            return "error";
        case LogLevel::warning:
            return "warning";
        case LogLevel::notice:
            return "notice";
        case LogLevel::info:
            return "info";
        case LogLevel::debug:
            break;
    }
    return "debug";
}

SyslogSink::SyslogSink(std::string ident, const std::string& path)
    : ident_(std::move(ident)),
      writer_(path, [this](const std::string& line) { return datagram_of(LogLevel::warning, line); }) {
    // Reads the time zone now and not at the first line.
    ::tzset();
}

std::string SyslogSink::datagram_of(LogLevel level, std::string_view line) const {
    static constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t now = ::time(nullptr);
    tm local{};
    ::localtime_r(&now, &local);
    std::array<char, datagram_max> datagram;
    const int length = std::snprintf(datagram.data(), datagram.size(), "<%d>%s %2d %02d:%02d:%02d %s[%d]: %.*s",
                                     LOG_DAEMON | priority_of(level), months[static_cast<std::size_t>(local.tm_mon)],
                                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, ident_.c_str(),
                                     static_cast<int>(::getpid()), static_cast<int>(line.size()), line.data());
    if (length <= 0) return {};
    return {datagram.data(), std::min(static_cast<std::size_t>(length), datagram.size() - 1)};
}

void SyslogSink::write(LogLevel level, std::string_view line) noexcept try {
    writer_.write(datagram_of(level, line));
} catch (...) {
    writer_.count_lost();
}

}  // namespace cmirror
