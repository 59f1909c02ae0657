#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "adapters/log_sink/log_sinks.hpp"

namespace cmirror {
namespace {

constexpr std::size_t line_max = 2048;

}  // namespace

TerminalSink::TerminalSink(LogLevel least, int descriptor) : least_(least) {
    struct stat status {};
    is_socket_ = ::fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
    // O_NONBLOCK belongs to the open file, which the shell shares: open it once more instead.
    const auto path = "/proc/self/fd/" + std::to_string(descriptor);
    if (!is_socket_) own_ = UniqueFd{::open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    if (!own_.is_open()) own_ = UniqueFd{::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)};
    ::tzset();
}

void TerminalSink::write(LogLevel level, std::string_view line) noexcept {
    if (level > least_) return;
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    tm local{};
    ::localtime_r(&now.tv_sec, &local);
    std::array<char, line_max> text;
    const auto name = name_of(level);
    const int length = std::snprintf(text.data(), text.size() - 1, "%02d:%02d:%02d.%03ld %-7.*s %.*s", local.tm_hour,
                                     local.tm_min, local.tm_sec, now.tv_nsec / 1'000'000, static_cast<int>(name.size()),
                                     name.data(), static_cast<int>(line.size()), line.data());
    if (length <= 0) return;
    auto size = std::min(static_cast<std::size_t>(length), text.size() - 2);
    text[size++] = '\n';
    // Matters only where the file could not be opened once more.
    pollfd entry{own_.get(), POLLOUT, 0};
    const bool writable = ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLOUT) != 0;
    ssize_t written = -1;
    if (writable && is_socket_)
        written = ::send(own_.get(), text.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (writable)
        written = ::write(own_.get(), text.data(), size);
    if (written != static_cast<ssize_t>(size)) lost_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace cmirror
