#include "tests/sim/checkers/beside_legacy.hpp"

#include <algorithm>

#include "tests/sim/mapped_device.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

void BesideLegacy::touched(std::size_t mirror, RegionNumber region) {
    touched_.emplace(mirror, region);
}

/// A legacy kernel's write or copy of it is under way.
bool BesideLegacy::in_hand(std::size_t mirror, RegionNumber region) {
    return std::any_of(world_.nodes().begin(), world_.nodes().end(), [&](auto& node) {
        MappedDevice* device = node->legacy ? world_.device(*node, mirror) : nullptr;
        return device != nullptr &&
               std::any_of(device->targets().begin(), device->targets().end(),
                           [&](const auto& target) { return target->copies(region) || target->writes(region); });
    });
}

bool BesideLegacy::is_theirs(std::size_t mirror, RegionNumber region) {
    const auto found = touched_.find({mirror, region});
    if (found == touched_.end()) return false;
    if (world_.mirrors()[mirror].data->differs(region) || in_hand(mirror, region)) return true;
    touched_.erase(found);
    return false;
}

bool BesideLegacy::device_is_theirs(std::size_t mirror, RegionNumber region) {
    if (world_.legacy_serves(world_.mirrors()[mirror])) on_device_.emplace(mirror, region);
    return on_device_.contains({mirror, region}) || is_theirs(mirror, region);
}

void BesideLegacy::device_is_wrong(std::size_t mirror, const std::set<RegionNumber>& regions) {
    std::erase_if(on_device_, [&](const Place& p) { return p.first == mirror && !regions.contains(p.second); });
}

}  // namespace cmirror::sim
