// Frames of one join that wait for flow control, and how long to wait before the next attempt.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "messages/invariant.hpp"

namespace cmirror {

/// Doubles from `first` to `last`.
class Backoff {
  public:
    Backoff(std::chrono::milliseconds first, std::chrono::milliseconds last)
        : first_(first), last_(last), next_(first) {}

    std::chrono::milliseconds next() { return std::exchange(next_, std::min(next_ * 2, last_)); }
    void reset() { next_ = first_; }

  private:
    std::chrono::milliseconds first_;
    std::chrono::milliseconds last_;
    std::chrono::milliseconds next_;
};

struct SendQueueLimits {
    std::size_t frames_max = 4096;
    std::size_t bytes_max = std::size_t{16} * 1024 * 1024;
};

/// In order, bounded in frames and in bytes.
class SendQueue {
  public:
    explicit SendQueue(SendQueueLimits limits) : limits_(limits) {}

    /// False, and nothing taken, when a bound would be exceeded.
    bool push(std::vector<std::byte> frame) {
        if (frames_.size() >= limits_.frames_max || bytes_ + frame.size() > limits_.bytes_max) return false;
        bytes_ += frame.size();
        frames_.push_back(std::move(frame));
        return true;
    }
    /// Invariant: not empty.
    std::span<const std::byte> front() const {
        CMIRROR_INVARIANT(!frames_.empty());
        return frames_.front();
    }
    void pop() {
        CMIRROR_INVARIANT(!frames_.empty());
        bytes_ -= frames_.front().size();
        frames_.pop_front();
    }
    void clear() {
        frames_.clear();
        bytes_ = 0;
    }
    bool empty() const { return frames_.empty(); }
    std::size_t size() const { return frames_.size(); }
    std::size_t bytes() const { return bytes_; }

  private:
    SendQueueLimits limits_;
    std::deque<std::vector<std::byte>> frames_;
    std::size_t bytes_ = 0;
};

}  // namespace cmirror
