#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "adapters/log_sink/log_sinks.hpp"

namespace cmirror {
namespace {

/// What syslog daemons take for sure; a longer line is cut.
constexpr std::size_t datagram_max = 2048;

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

}  // namespace

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
    : ident_(std::move(ident)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, path.data(), std::min(path.size(), sizeof address_.sun_path - 1));
    // Reads the time zone now and not at the first line.
    ::tzset();
}

bool SyslogSink::send(LogLevel level, std::string_view line) noexcept {
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
    if (length <= 0) return false;
    const auto size = std::min(static_cast<std::size_t>(length), datagram.size() - 1);
    // Not connected: a syslog daemon that was restarted is found again by its path.
    return ::sendto(socket_.get(), datagram.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&address_), sizeof address_) >= 0;
}

void SyslogSink::write(LogLevel level, std::string_view line) noexcept {
    if (!send(level, line)) {
        lost_.fetch_add(1, std::memory_order_relaxed);
        lost_untold_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    const auto untold = lost_untold_.exchange(0, std::memory_order_relaxed);
    if (untold == 0) return;
    std::array<char, 64> text;
    std::snprintf(text.data(), text.size(), "%llu lines were lost before this one",
                  static_cast<unsigned long long>(untold));
    if (!send(LogLevel::warning, text.data())) lost_untold_.fetch_add(untold, std::memory_order_relaxed);
}

}  // namespace cmirror
