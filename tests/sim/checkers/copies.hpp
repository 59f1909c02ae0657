// Invariant 3: one node recovers a region at a time, and no write overtakes a recovery copy.
#pragma once

#include "tests/sim/checker.hpp"

namespace cmirror::sim {

class CopiesChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "copies"; }
    void write_dispatched(Node& node, MappedDevice& device, MirrorTarget& target, const Bio& bio,
                          bool all_legs) override;
    void copy_started(Node& node, MappedDevice& device, MirrorTarget& target, RegionNumber region) override;

  private:
    bool forgotten(const MappedDevice& device, Instant since);
};

}  // namespace cmirror::sim
