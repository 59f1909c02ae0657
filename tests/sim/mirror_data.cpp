#include "tests/sim/mirror_data.hpp"

#include <algorithm>

namespace cmirror::sim {

MirrorData::MirrorData(std::uint64_t regions, std::uint64_t slots_per_region, Leg legs, bool equal)
    : regions_(regions),
      slots_(slots_per_region),
      legs_(legs),
      versions_(legs, std::vector<Version>(regions * slots_per_region, equal ? 1 : 0)),
      locked_(regions * slots_per_region),
      floor_(regions * slots_per_region, 1),
      differing_slots_(regions, equal ? 0 : static_cast<std::uint32_t>(slots_per_region)),
      differing_((regions + 63) / 64),
      writers_(2) {
    std::fill(versions_[0].begin(), versions_[0].end(), 1);
    if (equal) return;
    for (RegionNumber region = 0; region < regions; ++region)
        differing_[region / 64] |= std::uint64_t{1} << (region % 64);
}

bool MirrorData::slot_differs(std::size_t number) const {
    for (Leg leg = 1; leg < legs_; ++leg)
        if (versions_[leg][number] != versions_[0][number]) return true;
    return false;
}

void MirrorData::put(Leg leg, Slot slot, Version version) {
    const std::size_t n = number(slot);
    const bool before = slot_differs(n);
    versions_[leg][n] = version;
    const bool now = slot_differs(n);
    if (before == now) return;
    std::uint32_t& count = differing_slots_[slot.region];
    count = now ? count + 1 : count - 1;
    const std::uint64_t bit = std::uint64_t{1} << (slot.region % 64);
    if (count == 0)
        differing_[slot.region / 64] &= ~bit;
    else
        differing_[slot.region / 64] |= bit;
}

void MirrorData::written_by(Version version, Owner owner) {
    if (writers_.size() <= version) writers_.resize(version + 1);
    writers_[version] = owner;
}

std::optional<Owner> MirrorData::writer_of(Version version) const {
    return version < writers_.size() ? writers_[version] : std::nullopt;
}

std::vector<std::optional<Owner>> MirrorData::writers_of_difference(RegionNumber region) const {
    std::vector<std::optional<Owner>> writers;
    for (std::uint64_t index = 0; index < slots_; ++index) {
        const std::size_t n = number({region, index});
        if (!slot_differs(n)) continue;
        Version newest = 0;
        for (Leg leg = 0; leg < legs_; ++leg)
            newest = std::max(newest, versions_[leg][n]);
        writers.push_back(writer_of(newest));
    }
    return writers;
}

bool MirrorData::try_lock(Slot slot) {
    if (locked_[number(slot)]) return false;
    locked_[number(slot)] = true;
    return true;
}

void MirrorData::acknowledged(Slot slot, Version version) {
    Version& floor = floor_[number(slot)];
    floor = std::max(floor, version);
}

void MirrorData::was_read(Slot slot, Version version) {
    acknowledged(slot, version);
}

std::string MirrorData::describe(RegionNumber region) const {
    std::string text;
    for (std::uint64_t index = 0; index < slots_; ++index) {
        text += index == 0 ? "" : " ";
        for (Leg leg = 0; leg < legs_; ++leg)
            text += (leg == 0 ? "" : "|") + std::to_string(at(leg, {region, index}));
    }
    return text;
}

}  // namespace cmirror::sim
