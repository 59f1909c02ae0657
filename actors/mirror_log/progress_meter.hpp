// How fast a number that is told now and then grows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "actors/mirror_log/effects.hpp"

namespace cmirror::mirror_log {

/// The rate over the last whole window; a shrinking number counts as one that stands still.
class ProgressMeter {
  public:
    static constexpr Instant window = std::chrono::seconds(5);

    void note(std::uint64_t number, Instant now) {
        if (!begun_ || now - *begun_ >= 3 * window) {
            // Nobody said anything for a long time: an average over that would say nothing of now.
            rate_ = 0;
        } else if (now - *begun_ < window) {
            return;
        } else {
            const auto seconds = std::chrono::duration<double>(now - *begun_).count();
            rate_ = static_cast<double>(number - std::min(number, first_)) / seconds;
        }
        begun_ = now;
        first_ = number;
    }
    /// A second; 0 before the first window is over.
    double rate() const { return rate_; }

  private:
    std::optional<Instant> begun_;
    std::uint64_t first_ = 0;
    double rate_ = 0;
};

}  // namespace cmirror::mirror_log
