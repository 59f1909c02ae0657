// Which regions are handed out for recovery, and to whom.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// Successive regions handed out to one owner.
struct Run {
    Owner owner;
    RegionNumber first = 0;
    std::uint64_t count = 0;
    /// Its regions fell out of sync after they had been in sync (design.md, rule 3).
    bool later = false;

    RegionNumber end() const { return first + count; }
    friend bool operator==(const Run&, const Run&) = default;
};

/// Runs that are out; they never overlap.
class GrantTable {
  public:
    /// Invariant: none of the run's regions is granted.
    void grant(const Run& run);
    /// The run that the region is part of.
    const Run* run_of(RegionNumber region) const;
    std::optional<Owner> granted_to(RegionNumber region) const;
    /// Takes one region out of its run. False if it is in none.
    bool end(RegionNumber region);
    /// Ends all grants of the owner and returns them.
    std::vector<Run> end_all(Owner owner);

    bool empty() const { return runs_.empty(); }
    bool any_of_other(Owner owner) const;
    bool any_later_of_other(Owner owner) const;
    /// Number of regions that the owner has.
    std::uint64_t regions_of(Owner owner) const;
    /// By first region.
    const std::map<RegionNumber, Run>& runs() const { return runs_; }

  private:
    std::map<RegionNumber, Run> runs_;
};

}  // namespace cmirror::mirror_log
