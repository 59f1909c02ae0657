// Invariant 2: members with an equal prefix have equal states.
#pragma once

#include "tests/sim/checker.hpp"

namespace cmirror::sim {

/// Compared whenever nothing is under way in the cluster: all members of a ring have then delivered the same.
class EqualStatesChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "equal states"; }
    void at_rest() override;

  private:
    std::uint64_t compared_ = 0;
};

}  // namespace cmirror::sim
