// Invariant 5: a FLUSH answer implies durability as the design defines it.
#pragma once

#include <map>
#include <set>

#include "tests/sim/checker.hpp"

namespace cmirror::sim {

/// When a FLUSH is answered, every mark that the kernel made before it would survive the loss of any one node: another
/// valid member has it (if there is one), and for a disk log the region is dirty on the device.
class DurableFlushChecker final : public Checker {
  public:
    using Checker::Checker;
    std::string_view name() const override { return "durable flush"; }
    void write_dispatched(Node& node, MappedDevice& device, MirrorTarget& target, const Bio& bio,
                          bool all_legs) override;
};

}  // namespace cmirror::sim
