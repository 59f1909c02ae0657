// Runs seeds, one after the other, and tells a person how it goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/counters.hpp"
#include "tests/sim/profile.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

struct RunResult {
    std::optional<Violation> violation;
    std::uint64_t digest = 0;
    std::uint64_t events = 0;
    Instant simulated{};
    Counters counters;
};

/// One run. `story` gets what happens, if it is not empty.
RunResult run_once(const Options& options, const std::function<void(Instant, NodeId, const std::string&)>& story = {});

/// The last lines of the story of a run that failed, of the nodes concerned.
std::vector<std::string> last_events(const Options& options, const Violation& violation);

struct BatchOptions {
    Options run;
    std::uint64_t first_seed = 1;
    std::uint64_t seeds = 1;
    /// Every one of that many seeds is run twice, and must end in the same digest; 0: none.
    std::uint64_t repeat_every = 0;
    bool progress = true;
    /// Fail if a fault or a rare path was never seen.
    bool require_counters = false;
    /// One line for each seed that fails, and go on.
    bool keep_going = false;
    /// Stop after so many seconds of real time; 0: never.
    double seconds_max = 0;
};

/// True if every run was well. Prints progress, a summary, and the story of the first failure.
bool run_batch(const BatchOptions& options);

/// Seeds that failed once, each run twice: true if all are well and end in the same state both times.
bool run_kept(const std::vector<Options>& kept);

/// How to run this again.
std::string replay_command(const Options& options);

}  // namespace cmirror::sim
