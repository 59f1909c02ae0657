// What lies on a mirror's legs: a version number for every slot of every region, instead of data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/identity.hpp"

namespace cmirror::sim {

/// Versions of one slot grow in the order in which applications wrote it. 0 is what a leg held before the mirror
/// existed, 1 what the primary leg held.
using Version = std::uint64_t;
using Leg = std::size_t;

/// A part of a region that an application writes as a whole.
struct Slot {
    RegionNumber region = 0;
    std::uint64_t index = 0;
};

class MirrorData {
  public:
    /// With `equal` the legs hold the same from the start (a table with nosync), else each its own.
    MirrorData(std::uint64_t regions, std::uint64_t slots_per_region, Leg legs, bool equal);

    std::uint64_t regions() const { return regions_; }
    std::uint64_t slots_per_region() const { return slots_; }
    Leg legs() const { return legs_; }

    Version at(Leg leg, Slot slot) const { return versions_[leg][number(slot)]; }
    /// A leg takes a version, from an application or from another leg.
    void put(Leg leg, Slot slot, Version version);

    /// A new version for the slot, and who writes it.
    Version new_version() { return ++last_; }
    void written_by(Version version, Owner owner);
    std::optional<Owner> writer_of(Version version) const;

    /// Do the legs differ anywhere in the region?
    bool differs(RegionNumber region) const { return differing_slots_[region] != 0; }
    /// Bit r%64 of word r/64: the region differs.
    const std::vector<std::uint64_t>& differing() const { return differing_; }
    /// Who wrote the newest version of each differing slot of the region; nothing where nobody did.
    std::vector<std::optional<Owner>> writers_of_difference(RegionNumber region) const;

    // -- what applications agree on: one of them writes a slot at a time
    bool try_lock(Slot slot);
    void unlock(Slot slot) { locked_[number(slot)] = false; }
    bool is_locked(Slot slot) const { return locked_[number(slot)]; }

    // -- what applications know
    void acknowledged(Slot slot, Version version);
    void was_read(Slot slot, Version version);
    /// A read that starts now must give this version or a newer one.
    Version floor(Slot slot) const { return floor_[number(slot)]; }

    std::string describe(RegionNumber region) const;

  private:
    std::size_t number(Slot slot) const { return static_cast<std::size_t>(slot.region * slots_ + slot.index); }
    bool slot_differs(std::size_t number) const;

    std::uint64_t regions_;
    std::uint64_t slots_;
    Leg legs_;
    std::vector<std::vector<Version>> versions_;
    std::vector<bool> locked_;
    std::vector<Version> floor_;
    std::vector<std::uint32_t> differing_slots_;
    std::vector<std::uint64_t> differing_;
    /// By version; only what applications wrote has one.
    std::vector<std::optional<Owner>> writers_;
    Version last_ = 1;
};

}  // namespace cmirror::sim
