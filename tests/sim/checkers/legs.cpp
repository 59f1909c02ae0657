#include "tests/sim/checkers/legs.hpp"

#include <algorithm>
#include <bit>
#include <set>

#include "messages/wire_disk.hpp"
#include "tests/sim/checkers/members.hpp"
#include "tests/sim/mapped_device.hpp"

namespace cmirror::sim {

void LegsChecker::after_event() {
    for (std::size_t i = 0; i < world_.mirrors().size(); ++i) {
        check_states(i);
        if (world_.mirrors()[i].disk) check_device(i);
    }
}

/// A daemon that knew more was killed, its corosync was not: the survivor's has still to deliver what that one knew. Or
/// another has started the state anew, which this one has still to hear.
bool LegsChecker::has_to_deliver(std::size_t mirror, const std::vector<LogMember>& members, const LogMember& leading) {
    std::uint64_t& reached = reached_[mirror];
    const std::uint64_t applied = leading.state().ordinal();
    const std::vector<NodeId> behind = world_.cluster.nodes_to_deliver();
    const bool waits = std::find(behind.begin(), behind.end(), leading.node->id) != behind.end();
    const bool anew = std::any_of(members.begin(), members.end(), [&](const LogMember& other) {
        return other.state().lineage() != leading.state().lineage();
    });
    if ((applied < reached || anew) && waits) return true;
    reached = applied;
    return false;
}

void LegsChecker::check_states(std::size_t number) {
    const Mirror& mirror = world_.mirrors()[number];
    bool any = false;
    for (const std::uint64_t word : mirror.data->differing())
        any = any || word != 0;
    if (!any) return;
    const std::vector<LogMember> members = quorate_members(world_, mirror);
    const LogMember* member = leading(members);
    if (member == nullptr || has_to_deliver(number, members, *member)) return;
    const auto& differing = mirror.data->differing();
    for (std::size_t word = 0; word < differing.size(); ++word) {
        for (std::uint64_t left = differing[word] & member->state().sync().raw()[word]; left != 0; left &= left - 1) {
            const RegionNumber region = word * 64 + static_cast<unsigned>(std::countr_zero(left));
            if (accounts_for(member->state(), region, *mirror.data)) continue;
            if (world_.beside_legacy().is_theirs(number, region)) continue;
            if (std::any_of(members.begin(), members.end(),
                            [&](const LogMember& other) { return taken_for_legacy(world_, other, *member); }))
                continue;
            return violated(member->node->id, "region " + std::to_string(region) +
                                                  " counts as in sync, its writer has no mark, and its legs differ: " +
                                                  mirror.data->describe(region));
        }
    }
}

void LegsChecker::check_device(std::size_t number) {
    const Mirror& mirror = world_.mirrors()[number];
    const std::span<const std::byte> bytes = mirror.disk->bytes();
    if (!unpack_device_header(bytes)) return;
    const auto& differing = mirror.data->differing();
    std::set<RegionNumber> wrong;
    for (std::size_t byte = 0; byte < (mirror.profile.regions + 7) / 8; ++byte) {
        const auto clean = std::to_integer<std::uint64_t>(bytes[device_header_size + byte]);
        for (std::uint64_t bad = clean & (differing[byte / 8] >> (byte % 8 * 8)) & 0xffU; bad != 0; bad &= bad - 1)
            wrong.insert(byte * 8 + static_cast<unsigned>(std::countr_zero(bad)));
    }
    if (world_.options.legacy) world_.beside_legacy().device_is_wrong(number, wrong);
    for (const RegionNumber region : wrong)
        if (!world_.options.legacy || !world_.beside_legacy().device_is_theirs(number, region))
            return violated(0, "region " + std::to_string(region) +
                                   " is clean on the log device and its legs differ: " + mirror.data->describe(region));
}

void ReadsChecker::was_read(Node& node, MappedDevice& device, Slot slot, Version floor, Version version) {
    if (version >= floor) return;
    violated(node.id, "region " + std::to_string(slot.region) + ": version " + std::to_string(version) +
                          " was read after version " + std::to_string(floor) + " was known; legs " +
                          device.data().describe(slot.region));
}

}  // namespace cmirror::sim
