#include "tests/sim/checkers/durable_flush.hpp"

#include <algorithm>

#include "messages/wire_disk.hpp"
#include "tests/sim/checkers/members.hpp"
#include "tests/sim/mapped_device.hpp"

namespace cmirror::sim {

// The kernel dispatches a write as soon as it has the FLUSH's answer, so what must be durable then is looked at then:
// this catches answers that promised too much, and nothing that the kernel does not rely on.
void DurableFlushChecker::write_dispatched(Node& node, MappedDevice& device, MirrorTarget& target, const Bio& bio,
                                           bool all_legs) {
    if (node.legacy) return;
    const Mirror& mirror = world_.mirrors()[device.mirror()];
    const RegionNumber region = bio.slot.region;
    const Owner owner{node.id, target.luid()};
    if (mirror.disk) {
        const std::span<const std::byte> bytes = mirror.disk->bytes();
        const auto byte = std::to_integer<unsigned>(bytes[device_header_size + region / 8]);
        const bool clean = unpack_device_header(bytes) && (byte >> (region % 8) & 1U) != 0;
        if (clean && !(world_.options.legacy && world_.beside_legacy().device_is_theirs(device.mirror(), region)))
            return violated(node.id, "region " + std::to_string(region) + " is written and clean on the log device" +
                                         (all_legs ? "" : ", by the primary leg alone"));
    }
    const auto knows = [&](const mirror_log::LogState& state) {
        return !state.sync().test(region) || knows_writer(state, region, owner);
    };
    const std::vector<LogMember> members = quorate_members(world_, mirror);
    const auto self = std::find_if(members.begin(), members.end(), [&](const LogMember& member) {
        return member.node == &node && member.log.luid == target.luid();
    });
    // A node that is out of the majority wrote what it had marked before.
    if (self == members.end()) return;
    std::size_t others = 0, knowing = 0;
    for (const LogMember& member : members) {
        if (member.node == &node || taken_for_legacy(world_, *self, member)) continue;
        ++others;
        if (knows(member.state())) ++knowing;
    }
    if (others == 0 || knowing > 0) return;
    // Whoever confirmed may have left the group since, and its node delivers to the others of the ring what it had: so
    // this is looked at while all nodes of the ring are members.
    const std::vector<NodeId> ring = world_.cluster.view_of(node.id).nodes;
    const auto ours = std::count_if(ring.begin(), ring.end(), [&](NodeId id) { return !world_.node(id).legacy; });
    if (static_cast<std::size_t>(ours) > others + 1) return;
    violated(node.id, "region " + std::to_string(region) + " is written" + (all_legs ? "" : " (primary leg alone)") +
                          " and no other of " + std::to_string(others) + " valid members knows of it");
}

}  // namespace cmirror::sim
