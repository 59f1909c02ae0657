#include "adapters/log_sink/datagram_writer.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace cmirror {

DatagramWriter::DatagramWriter(const std::string& path, std::function<std::string(const std::string&)> warning)
    : warning_(std::move(warning)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, path.data(), std::min(path.size(), sizeof address_.sun_path - 1));
    // Bounds how long the thread that may wait does so, a stop of the daemon included.
    const timeval limit{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

DatagramWriter::~DatagramWriter() {
    {
        const std::lock_guard guard(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (writer_.joinable()) writer_.join();
}

DatagramWriter::Sent DatagramWriter::send(const std::string& datagram, int flags) noexcept {
    // Not connected: a syslog daemon that was restarted is found again by its path.
    if (::sendto(socket_.get(), datagram.data(), datagram.size(), flags | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address_), sizeof address_) >= 0)
        return Sent::done;
    return errno == EAGAIN || errno == EINTR ? Sent::full : Sent::failed;
}

void DatagramWriter::write(std::string datagram) noexcept try {
    const std::lock_guard guard(mutex_);
    const Sent sent = waiting_.empty() ? send(datagram, MSG_DONTWAIT) : Sent::full;
    if (sent == Sent::done) return tell_lost();
    if (sent == Sent::failed || waiting_.size() >= waiting_max) return count_lost();
    queue({std::move(datagram)});
} catch (...) {
    count_lost();
}

/// The mutex is held.
void DatagramWriter::queue(Waiting waiting) {
    waiting_.push_back(std::move(waiting));
    if (!writer_.joinable()) {
        // Signals are for the threads that expect them.
        sigset_t all;
        sigset_t before;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            writer_ = std::thread([this] { send_waiting(); });
        } catch (...) {
            ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
            // Nobody would send it, and all later ones would wait behind it.
            waiting_.pop_back();
            throw;
        }
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    changed_.notify_all();
}

/// The thread that may wait for the socket.
void DatagramWriter::send_waiting() noexcept {
    std::unique_lock guard(mutex_);
    while (true) {
        changed_.wait(guard, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        // Its place stays in front until it is sent, so that later lines do not pass it.
        std::string datagram = std::move(waiting_.front().datagram);
        guard.unlock();
        const Sent sent = send(datagram, 0);
        guard.lock();
        if (sent != Sent::full)
            sent_front(sent);
        else if (stopping_)
            return;
        else
            waiting_.front().datagram = std::move(datagram);
    }
}

/// The mutex is held.
void DatagramWriter::sent_front(Sent sent) noexcept {
    const std::uint64_t tells = waiting_.front().tells;
    waiting_.pop_front();
    if (sent == Sent::failed && tells == 0) count_lost();
    if (sent == Sent::failed) lost_untold_.fetch_add(tells, std::memory_order_relaxed);
    if (sent == Sent::done && waiting_.empty()) tell_lost();
}

void DatagramWriter::count_lost() noexcept {
    lost_.fetch_add(1, std::memory_order_relaxed);
    lost_untold_.fetch_add(1, std::memory_order_relaxed);
}

/// The mutex is held, and nothing waits.
void DatagramWriter::tell_lost() noexcept {
    const auto untold = lost_untold_.exchange(0, std::memory_order_relaxed);
    if (untold == 0) return;
    Sent sent = Sent::failed;
    try {
        std::string datagram = warning_(std::to_string(untold) + " lines were lost before this one");
        sent = send(datagram, MSG_DONTWAIT);
        // Or it would be told with the next line, which may be long in coming.
        if (sent == Sent::full) queue({std::move(datagram), untold});
    } catch (...) {
        sent = Sent::failed;
    }
    if (sent == Sent::failed) lost_untold_.fetch_add(untold, std::memory_order_relaxed);
}

}  // namespace cmirror
