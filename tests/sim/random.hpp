// The simulation's own random numbers: the same on every platform and with every library.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>

namespace cmirror::sim {

constexpr std::uint64_t mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
}

/// splitmix64. One for each concern, so that a fault more does not change the load.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(mix(seed)) {}

    std::uint64_t next() {
        const std::uint64_t value = mix(state_);
        state_ += 0x9E3779B97F4A7C15U;
        return value;
    }
    /// 0 to bound - 1; 0 for a bound of 0.
    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
    std::size_t index(std::size_t bound) { return static_cast<std::size_t>(below(bound)); }
    /// `low` to `high`, both included.
    std::int64_t between(std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
    }
    std::chrono::nanoseconds between(std::chrono::nanoseconds low, std::chrono::nanoseconds high) {
        return std::chrono::nanoseconds{between(low.count(), high.count())};
    }
    double unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
    bool chance(double probability) { return unit() < probability; }
    /// Exponentially distributed, at most eight times the mean.
    std::chrono::nanoseconds around(std::chrono::nanoseconds mean) {
        const double factor = std::min(-std::log1p(-unit()), 8.0);
        return std::chrono::nanoseconds{static_cast<std::int64_t>(static_cast<double>(mean.count()) * factor)};
    }

  private:
    std::uint64_t state_;
};

}  // namespace cmirror::sim
