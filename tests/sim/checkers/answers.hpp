// Invariants 4, 6 and 9: what kernels are told, and what is kept meanwhile.
#pragma once

#include "tests/sim/checker.hpp"

namespace cmirror::sim {

/// An answer fits its request: what only a broken daemon would say. (One answer a request, none to an unknown seq:
/// kernel.cpp sees that itself.)
class AnswersChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "answers"; }
    void answered(Node& node, const KernelRequest& request, const Answer& answer) override;
};

/// The hint is never above a region that is out of sync.
class HintChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "hint"; }
    void answered(Node& node, const KernelRequest& request, const Answer& answer) override;
};

/// Nothing that waits, and nothing that is remembered, grows without bound.
class BoundsChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "bounds"; }
    void every_second() override;
};

}  // namespace cmirror::sim
