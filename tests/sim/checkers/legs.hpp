// Invariants about what lies on the legs: 1 and 7.
#pragma once

#include <cstdint>
#include <map>

#include "tests/sim/checker.hpp"
#include "tests/sim/checkers/members.hpp"

namespace cmirror::sim {

/// At every moment, for every set of nodes that could crash now, restart of the rest or of all leaves no region that is
/// considered clean and in sync while its legs differ. That is so if
/// - for a difference, the member that has applied most (whose state every survivor reaches, since what one survivor
///   delivered all of them do) has the region out of sync or marked by whoever wrote it: that owner's loss makes it out
///   of sync;
/// - a disk log's device calls the region dirty, also when any part of the writes under way were on it: this is all
/// that
///   is left when every node crashes. (A core log starts out of sync then.)
/// That a single crash cannot take the mark away is durable_flush.hpp's.
class LegsChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "legs"; }
    void after_event() override;

  private:
    void check_states(std::size_t mirror);
    bool has_to_deliver(std::size_t mirror, const std::vector<LogMember>& members, const LogMember& leading);
    void check_device(std::size_t mirror);

    /// By mirror: how much the one that has applied most has applied.
    std::map<std::size_t, std::uint64_t> reached_;
};

/// A read never gives an older version than one that was acknowledged or read before it started.
class ReadsChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "reads"; }
    void was_read(Node& node, MappedDevice& device, Slot slot, Version floor, Version version) override;
};

}  // namespace cmirror::sim
