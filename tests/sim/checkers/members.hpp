// Which members of a mirror's log there are, and which of them knows most.
#pragma once

#include <vector>

#include "tests/sim/world.hpp"

namespace cmirror::sim {

struct LogMember {
    Node* node = nullptr;
    RunningLog log;
    const mirror_log::LogState& state() const { return *log.core->state(); }
    Owner owner() const { return {node->id, log.luid}; }
};

/// The valid members on nodes whose ring has quorum and which know that; not those that merge with another side, nor
/// those whose daemon is paused: it has not heard what goes on.
std::vector<LogMember> quorate_members(World& world, const Mirror& mirror);
/// The one that has applied most; null if there is none.
const LogMember* leading(const std::vector<LogMember>& members);

/// A joiner beside legacy members takes one of ours that says nothing for 5 s for one of them.
bool taken_for_legacy(const World& world, const LogMember& by, const LogMember& other);

/// Will the state call the region out of sync when this writer is lost?
bool knows_writer(const mirror_log::LogState& state, RegionNumber region, Owner writer);

/// Is the difference between the region's legs accounted for by this state: out of sync, or marked by whoever wrote it?
bool accounts_for(const mirror_log::LogState& state, RegionNumber region, const MirrorData& data);

}  // namespace cmirror::sim
