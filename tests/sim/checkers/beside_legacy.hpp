// What the checkers cannot ask while legacy members are there (docs/mixed-clusters.md, "What is kept"). All of it is
// here:
// - Kernels of legacy nodes are asked nothing: not what they are answered, nor what they write, read and copy.
// - 1, legs: a region whose legs differ since a legacy kernel wrote or copied it. It marks and clears in words that
// name no
//   instance, its daemon keeps nothing over its death, and it may have been given a region that others write.
// - 1 and 5, the log device: what lies there while a legacy member serves, and what one left there until its regions'
//   legs are equal again or ours has written.
// - 3, copies: a legacy kernel's copies and writes against ours. A legacy server holds no MARK, and hands out what it
//   likes.
// - 1, 2 and 5, differing legs, equal states and others that know of a mark: between a member of ours and a joiner that
// took it for legacy,
//   as it had said nothing for long. It joins again when the other one speaks.
// - 8, settles: the legs of the regions above, which no log knows of. All else is asked when the last legacy node has
// been updated. What fell out of sync later is not recovered before. Left are, for members of ours: equal states,
// answers, hints, reads, bounds, their own copies and writes against each other, and their own writes: on the legs, in
// each other's states, and on the device that one of ours writes.
#pragma once

#include <set>
#include <vector>

#include "messages/identity.hpp"

namespace cmirror::sim {

class World;

class BesideLegacy {
  public:
    explicit BesideLegacy(World& world) : world_(world) {}

    /// A legacy kernel writes or copies the region.
    void touched(std::size_t mirror, RegionNumber region);
    /// The region's legs differ since a legacy kernel touched it.
    bool is_theirs(std::size_t mirror, RegionNumber region);
    /// What the log device says of the region, whose legs differ or are about to, is a legacy server's word.
    bool device_is_theirs(std::size_t mirror, RegionNumber region);
    /// The log device is right about all regions but these.
    void device_is_wrong(std::size_t mirror, const std::set<RegionNumber>& regions);

  private:
    using Place = std::pair<std::size_t, RegionNumber>;
    bool in_hand(std::size_t mirror, RegionNumber region);

    World& world_;
    std::set<Place> touched_, on_device_;
};

}  // namespace cmirror::sim
