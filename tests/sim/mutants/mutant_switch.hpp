// Which rule of the daemon is broken in this run. Included by the mutated copy of its sources alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cmirror::sim {

struct Mutant {
    std::string name;
    /// The rule that it weakens.
    std::string rule;
    /// Options of cmirror-sim that make the story in which that matters frequent.
    std::string options;
    /// The checker that must catch it; empty: any.
    std::string checker;
    /// If not empty, it is hunted by the unit tests of this filter in place of the simulation.
    std::string tests;
    /// False: its text is not in the sources any more.
    bool applies = true;
};

const std::vector<Mutant>& all_mutants();

/// The mutant that lives; empty: none.
inline std::string living_mutant;  // NOLINT: set once, before a run

inline bool mutant_is(std::string_view name) {
    return living_mutant == name;
}

}  // namespace cmirror::sim
