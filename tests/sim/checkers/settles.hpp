// Invariant 8: after the last fault everything gets well.
#pragma once

#include "tests/sim/checker.hpp"

namespace cmirror::sim {

/// When the faults have stopped, and legs and tables have been mended, everything is in sync and clean and nothing
/// waits within a bounded time (world_end.cpp has the bound).
class SettlesChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "settles"; }
    std::string unfinished() override;
};

}  // namespace cmirror::sim
