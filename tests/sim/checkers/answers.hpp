// Invariants 4, 6 and 9: what kernels are told, and what is kept meanwhile.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "tests/sim/checker.hpp"

namespace cmirror::sim {

/// One answer a request at most, none to an unknown seq, and each fits its request. (That every request is answered at
/// last is settles.hpp's.)
class AnswersChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "answers"; }
    void asked(Node& node, const KernelRequest& request, unsigned copies, std::size_t room) override;
    void replied(Node& node, const UnpackedKernelReply& reply) override;
    void answered(Node& node, const KernelRequest& request, const Answer& answer) override;

  private:
    struct Open {
        std::string request;
        std::size_t room = 0;
        /// As often as the daemon got it, less the answers.
        unsigned answers_left = 0;
    };
    /// By node, boot and seq.
    std::map<std::tuple<NodeId, unsigned, std::uint32_t>, Open> open_;
};

/// The hint is never above a region that is out of sync: as the log knew it before what happened last, or knows it now.
/// (A daemon that was paused does many things at once, and only then its answers are seen.)
class HintChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "hint"; }
    void answered(Node& node, const KernelRequest& request, const Answer& answer) override;
    void after_event() override;

  private:
    /// Of each log, after the event before, if it had the state then: the lowest region out of sync. (A member that
    /// gets the state answers what waited before it hears what came behind the state, in one event.)
    std::map<Owner, RegionNumber> before_;
};

/// Nothing that waits, and nothing that is remembered, grows without bound.
class BoundsChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "bounds"; }
    void every_second() override;
};

}  // namespace cmirror::sim
