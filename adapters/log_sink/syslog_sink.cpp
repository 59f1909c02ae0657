#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
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
    : ident_(std::move(ident)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, path.data(), std::min(path.size(), sizeof address_.sun_path - 1));
    // Bounds how long the thread that may wait does so, a stop of the daemon included.
    const timeval limit{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    // Reads the time zone now and not at the first line.
    ::tzset();
}

SyslogSink::~SyslogSink() {
    {
        const std::lock_guard guard(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (writer_.joinable()) writer_.join();
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

SyslogSink::Sent SyslogSink::send(const std::string& datagram, int flags) noexcept {
    // Not connected: a syslog daemon that was restarted is found again by its path.
    if (::sendto(socket_.get(), datagram.data(), datagram.size(), flags | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address_), sizeof address_) >= 0)
        return Sent::done;
    return errno == EAGAIN || errno == EINTR ? Sent::full : Sent::failed;
}

void SyslogSink::write(LogLevel level, std::string_view line) noexcept try {
    std::string datagram = datagram_of(level, line);
    {
        const std::lock_guard guard(mutex_);
        const Sent sent = waiting_.empty() ? send(datagram, MSG_DONTWAIT) : Sent::full;
        if (sent == Sent::full && waiting_.size() < waiting_max) return queue(std::move(datagram));
        if (sent != Sent::done) return count_lost();
    }
    tell_lost();
} catch (...) {
    count_lost();
}

/// The mutex is held.
void SyslogSink::queue(std::string datagram) {
    waiting_.push_back(std::move(datagram));
    if (!writer_.joinable()) {
        // Signals are for the threads that expect them.
        sigset_t all;
        sigset_t before;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        writer_ = std::thread([this] { send_waiting(); });
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    changed_.notify_all();
}

/// The thread that may wait for the socket.
void SyslogSink::send_waiting() {
    std::unique_lock guard(mutex_);
    while (true) {
        changed_.wait(guard, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        // Stays in front until it is sent, so that later lines do not pass it.
        const std::string datagram = waiting_.front();
        guard.unlock();
        const Sent sent = send(datagram, 0);
        guard.lock();
        if (sent == Sent::failed) count_lost();
        if (sent != Sent::full) {
            waiting_.pop_front();
            if (waiting_.empty()) tell_lost();
        } else if (stopping_) {
            return;
        }
    }
}

void SyslogSink::count_lost() noexcept {
    lost_.fetch_add(1, std::memory_order_relaxed);
    lost_untold_.fetch_add(1, std::memory_order_relaxed);
}

void SyslogSink::tell_lost() noexcept {
    const auto untold = lost_untold_.exchange(0, std::memory_order_relaxed);
    if (untold == 0) return;
    const std::string text = std::to_string(untold) + " lines were lost before this one";
    if (send(datagram_of(LogLevel::warning, text), MSG_DONTWAIT) != Sent::done)
        lost_untold_.fetch_add(untold, std::memory_order_relaxed);
}

}  // namespace cmirror
