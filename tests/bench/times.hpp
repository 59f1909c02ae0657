// Times of many requests.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace cmirror::bench {

using Clock = std::chrono::steady_clock;

/// In microseconds.
struct Times {
    std::vector<double> all;

    void add(Clock::duration time) { all.push_back(std::chrono::duration<double, std::micro>(time).count()); }
    /// The time that `part` of them (0 to 1) do not exceed; 0 without any.
    double at(double part) {
        if (all.empty()) return 0;
        std::sort(all.begin(), all.end());
        return all[static_cast<std::size_t>(static_cast<double>(all.size() - 1) * part)];
    }
};

}  // namespace cmirror::bench
