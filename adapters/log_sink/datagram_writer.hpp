// Datagrams to a log daemon, without ever waiting for it.
#pragma once

#include <sys/un.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "adapters/unique_fd.hpp"

namespace cmirror {

/// While the socket is full a bounded number of datagrams waits for a thread that does. Those beyond that are counted,
/// and the next one that is sent is followed by one that says how many were lost: at once, or as soon as the socket
/// takes it. May be used by several threads.
class DatagramWriter {
  public:
    /// Datagrams that wait at most while the socket is full.
    static constexpr std::size_t waiting_max = 4096;

    /// `warning` makes a datagram of a line of the log daemon's own format.
    DatagramWriter(const std::string& path, std::function<std::string(const std::string&)> warning);
    DatagramWriter(const DatagramWriter&) = delete;
    DatagramWriter& operator=(const DatagramWriter&) = delete;
    /// Gives waiting datagrams a second to go out.
    ~DatagramWriter();

    void write(std::string datagram) noexcept;
    /// A datagram could not even be made.
    void count_lost() noexcept;
    /// Datagrams that were lost so far.
    std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

  private:
    enum class Sent : std::uint8_t { done, full, failed };
    struct Waiting {
        std::string datagram;
        /// How many lost ones it tells of.
        std::uint64_t tells = 0;
    };
    Sent send(const std::string& datagram, int flags) noexcept;
    void queue(Waiting waiting);
    void send_waiting() noexcept;
    void sent_front(Sent sent) noexcept;
    void tell_lost() noexcept;

    std::function<std::string(const std::string&)> warning_;
    UniqueFd socket_;
    sockaddr_un address_{};
    std::atomic<std::uint64_t> lost_{0};
    std::atomic<std::uint64_t> lost_untold_{0};
    /// Guards the three below.
    std::mutex mutex_;
    std::condition_variable changed_;
    /// The one in front is on its way: its text is with the thread.
    std::deque<Waiting> waiting_;
    bool stopping_ = false;
    /// Started when a datagram first has to wait.
    std::thread writer_;
};

}  // namespace cmirror
