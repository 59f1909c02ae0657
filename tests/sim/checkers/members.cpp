#include "tests/sim/checkers/members.hpp"

#include <algorithm>

namespace cmirror::sim {

std::vector<LogMember> quorate_members(World& world, const Mirror& mirror) {
    std::vector<LogMember> members;
    for (auto& node : world.nodes()) {
        if (!node->daemon || !node->in_ring || world.is_paused(*node) || !world.cluster.view_of(node->id).quorate)
            continue;
        for (const RunningLog& log : node->daemon->logs())
            if (log.uuid == mirror.table.uuid && log.core->valid() && log.core->quorate())
                members.push_back({node.get(), log});
    }
    return members;
}

const LogMember* leading(const std::vector<LogMember>& members) {
    const auto i = std::max_element(members.begin(), members.end(), [](const LogMember& a, const LogMember& b) {
        return a.state().ordinal() < b.state().ordinal();
    });
    return i == members.end() ? nullptr : &*i;
}

bool taken_for_legacy(const World& world, const LogMember& by, const LogMember& other) {
    if (!world.options.legacy) return false;
    const auto& known = by.state().members();
    return std::none_of(known.begin(), known.end(), [&](const mirror_log::Member& member) {
        return member.id.node == other.node->id && member.valid;
    });
}

bool knows_writer(const mirror_log::LogState& state, RegionNumber region, Owner writer) {
    const auto marked = [&](Owner owner) {
        return state.marks().marked_by(owner, region) || state.marks().has_everything(owner);
    };
    // A legacy checkpoint names no owners: someone older than whoever took the state from it.
    return marked(writer) || marked(mirror_log::unknown_owner);
}

bool accounts_for(const mirror_log::LogState& state, RegionNumber region, const MirrorData& data) {
    if (!state.sync().test(region)) return true;
    const std::vector<std::optional<Owner>> writers = data.writers_of_difference(region);
    return std::all_of(writers.begin(), writers.end(), [&](const std::optional<Owner>& writer) {
        return writer && knows_writer(state, region, *writer);
    });
}

}  // namespace cmirror::sim
