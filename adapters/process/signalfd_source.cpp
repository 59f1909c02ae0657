#include "adapters/process/signalfd_source.hpp"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace cmirror {

Result<std::unique_ptr<SignalfdSource>, std::string> SignalfdSource::open(const std::vector<int>& signals) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : signals)
        ::sigaddset(&set, signal);
    if (const int code = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); code != 0)
        return Failure<std::string>{std::string{"cannot block signals: "} + std::strerror(code)};
    UniqueFd descriptor{::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)};
    if (!descriptor.is_open())
        return Failure<std::string>{std::string{"cannot open a signal descriptor: "} + std::strerror(errno)};
    return std::unique_ptr<SignalfdSource>{new SignalfdSource{std::move(descriptor)}};
}

std::optional<int> SignalfdSource::next() {
    signalfd_siginfo info{};
    ssize_t size = 0;
    do
        size = ::read(descriptor_.get(), &info, sizeof info);
    while (size < 0 && errno == EINTR);
    if (size != static_cast<ssize_t>(sizeof info)) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
}

}  // namespace cmirror
