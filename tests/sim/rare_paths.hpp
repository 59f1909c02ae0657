// Rare paths of the daemon, told apart by what it logs; and what a batch of runs must have seen.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/profile.hpp"

namespace cmirror::sim {

/// The counter that a line of the log stands for, or nothing.
std::string_view path_of_line(std::string_view line);

/// Counters of which none may be zero after a batch of runs: with every kind of fault that `options` allow.
std::vector<std::string> required_counters(const Options& options, std::uint64_t seeds);

}  // namespace cmirror::sim
