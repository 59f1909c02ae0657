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
void DatagramWriter::queue(std::string datagram) {
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
void DatagramWriter::send_waiting() {
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

void DatagramWriter::count_lost() noexcept {
    lost_.fetch_add(1, std::memory_order_relaxed);
    lost_untold_.fetch_add(1, std::memory_order_relaxed);
}

void DatagramWriter::tell_lost() {
    const auto untold = lost_untold_.exchange(0, std::memory_order_relaxed);
    if (untold == 0) return;
    const std::string text = std::to_string(untold) + " lines were lost before this one";
    if (send(warning_(text), MSG_DONTWAIT) != Sent::done) lost_untold_.fetch_add(untold, std::memory_order_relaxed);
}

}  // namespace cmirror
