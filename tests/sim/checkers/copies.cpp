#include "tests/sim/checkers/copies.hpp"

#include "tests/sim/mapped_device.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

/// A log that was started anew meanwhile, while the daemon of the kernel concerned was away, could not know. What such
/// a copy does to the legs is the legs checker's.
bool CopiesChecker::forgotten(const MappedDevice& device, Instant since) {
    const auto anew = world_.mirrors()[device.mirror()].started_anew;
    if (!anew || *anew < since) return false;
    world_.count("a copy or a write that a log started anew cannot know of");
    return true;
}

void CopiesChecker::write_dispatched(Node& node, MappedDevice& device, MirrorTarget&, const Bio& bio, bool) {
    if (node.legacy) return;
    for (auto& other : world_.nodes()) {
        MappedDevice* its = world_.device(*other, device.mirror());
        if (its == nullptr || other->legacy) continue;
        for (const auto& target : its->targets()) {
            if (!target->copies(bio.slot.region)) continue;
            if (forgotten(device, std::min(bio.since, target->granted_at()))) continue;
            violated(node.id, "a write to region " + std::to_string(bio.slot.region) + " while node " +
                                  std::to_string(other->id) + " copies it");
        }
    }
}

void CopiesChecker::copy_started(Node& node, MappedDevice& device, MirrorTarget& self, RegionNumber region) {
    if (node.legacy) return;
    for (auto& other : world_.nodes()) {
        MappedDevice* its = world_.device(*other, device.mirror());
        if (its == nullptr || other->legacy) continue;
        for (const auto& target : its->targets()) {
            if (target.get() == &self) continue;
            const auto where =
                "region " + std::to_string(region) + " is copied while node " + std::to_string(other->id);
            if (target->copies(region) && !forgotten(device, std::min(self.granted_at(), target->granted_at())))
                violated(node.id, where + " copies it");
            if (target->writes(region) && !forgotten(device, std::min(self.granted_at(), target->written_at(region))))
                violated(node.id, where + " writes it");
        }
    }
}

}  // namespace cmirror::sim
