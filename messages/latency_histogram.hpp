// How long something took, as counts between fixed bounds.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cmirror {

class LatencyHistogram {
  public:
    /// Upper bounds of the buckets in microseconds; what takes longer is in one more bucket.
    static constexpr std::array<std::uint64_t, 13> bounds_us{
        10, 30, 100, 300, 1'000, 3'000, 10'000, 30'000, 100'000, 300'000, 1'000'000, 3'000'000, 10'000'000};

    void add(std::chrono::nanoseconds took) {
        std::size_t bucket = 0;
        while (bucket < bounds_us.size() && took > std::chrono::microseconds(bounds_us[bucket]))
            ++bucket;
        ++counts[bucket];
        if (took.count() > 0) sum_ns += static_cast<std::uint64_t>(took.count());
    }
    std::uint64_t count() const {
        std::uint64_t all = 0;
        for (const auto one : counts)
            all += one;
        return all;
    }
    /// The bound that this share of all (0 to 1) stayed below, in microseconds; 0: above all bounds, or there is none.
    std::uint64_t below_us(double share) const {
        const auto wanted = static_cast<double>(count()) * share;
        double seen = 0;
        for (std::size_t bucket = 0; bucket < bounds_us.size(); ++bucket) {
            seen += static_cast<double>(counts[bucket]);
            if (seen > 0 && seen >= wanted) return bounds_us[bucket];
        }
        return 0;
    }

    std::array<std::uint64_t, bounds_us.size() + 1> counts{};
    std::uint64_t sum_ns = 0;

    friend bool operator==(const LatencyHistogram&, const LatencyHistogram&) = default;
};

}  // namespace cmirror
