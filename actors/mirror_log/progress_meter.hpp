// How fast a number that is told now and then grows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

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

    /// What is worth a line, or nothing: a tenth more or less than was told, after some time; and that it is all.
    std::optional<std::string> tell(std::uint64_t number, std::uint64_t whole, Instant now) {
        const auto tenth = whole == 0 ? 10 : static_cast<unsigned>(static_cast<long double>(number) * 10 / whole);
        const bool first = !told_at_;
        if (!first && (tenth == told_tenth_ || (tenth != 10 && now - *told_at_ < between_lines))) return std::nullopt;
        told_at_ = now;
        told_tenth_ = tenth;
        // How it was at first is told when the log joins.
        if (first) return std::nullopt;
        if (tenth == 10) return "all regions are in sync";
        return std::to_string(number) + " of " + std::to_string(whole) + " regions are in sync";
    }

  private:
    static constexpr Instant between_lines = std::chrono::seconds(10);

    std::optional<Instant> told_at_;
    unsigned told_tenth_ = 0;
    std::optional<Instant> begun_;
    std::uint64_t first_ = 0;
    double rate_ = 0;
};

}  // namespace cmirror::mirror_log
