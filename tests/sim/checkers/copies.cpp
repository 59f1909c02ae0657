#include "tests/sim/checkers/copies.hpp"

#include "tests/sim/mapped_device.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

void CopiesChecker::write_dispatched(Node& node, MappedDevice& device, MirrorTarget&, const Bio& bio, bool) {
    if (node.legacy) return;
    for (auto& other : world_.nodes()) {
        MappedDevice* its = world_.device(*other, device.mirror());
        if (its == nullptr || other->legacy) continue;
        for (const auto& target : its->targets())
            if (target->copies(bio.slot.region))
                violated(node.id, "a write to region " + std::to_string(bio.slot.region) + " while node " +
                                      std::to_string(other->id) + " copies it");
    }
}

void CopiesChecker::copy_started(Node& node, MappedDevice& device, MirrorTarget& self, RegionNumber region) {
    if (node.legacy) return;
    for (auto& other : world_.nodes()) {
        MappedDevice* its = world_.device(*other, device.mirror());
        if (its == nullptr || other->legacy) continue;
        for (const auto& target : its->targets()) {
            if (target.get() == &self) continue;
            if (target->copies(region))
                violated(node.id, "region " + std::to_string(region) + " is copied while node " +
                                      std::to_string(other->id) + " copies it");
            if (target->writes(region))
                violated(node.id, "region " + std::to_string(region) + " is copied while node " +
                                      std::to_string(other->id) + " writes it");
        }
    }
}

}  // namespace cmirror::sim
