// Copies that this state did not know of, and what else was written meanwhile (design.md, rules 5 and 10).
#include <algorithm>

#include "actors/mirror_log/log_state.hpp"

namespace cmirror::mirror_log {

// A kernel wrote the region while this state did not know that: what was copied then, or is being copied, may lack it.
void LogState::written(const Member& member, std::uint64_t seq, RegionNumber region, StateChanges& changes) {
    overtake(member.owner(), region);
    mark(member, seq, region, changes);
}

void LogState::overtake(Owner owner, RegionNumber region) {
    const std::optional<Owner> copier = grants_.granted_to(region);
    if (copier && *copier != owner) overtaken_.insert(region);
    make_stale(region);
}

// A kernel that went through a loss of its group still copies what it was given. No one else may write or copy it.
// Somebody may have done so before this was known: then neither copy counts.
void LogState::copying(Owner owner, RegionNumber region) {
    if (grants_.granted_to(region) == owner) return;
    make_stale(region);
    overtaken_.insert(region);
    copied_as_well_.insert({region, owner});
}

void LogState::end_copies(Owner owner, RegionNumber first, std::uint64_t count) {
    std::erase_if(copied_as_well_, [&](const auto& copy) {
        return copy.second == owner && copy.first >= first && copy.first - first < count;
    });
}

/// At the end of every event: the next of those that copy a region has it.
void LogState::grant_copied_as_well() {
    std::erase_if(copied_as_well_, [&](const auto& copy) {
        const auto& [region, owner] = copy;
        if (grants_.granted_to(region)) return false;
        grants_.grant({owner, region, 1});
        overtaken_.insert(region);
        return true;
    });
}

/// What it has marked may be what others copy just now: its FLUSH waits for them as if it had marked that. Only where
/// it may have, and the copy counts: the region was in sync once. Two that copied others could wait for each other.
void LogState::await_copies(const Member& member, std::uint64_t seq, StateChanges& changes) {
    for (const auto& [first, run] : grants_.runs()) {
        if (run.owner == member.owner()) continue;
        for (RegionNumber region = first; region < run.end(); ++region) {
            if (!reached_.test(region)) continue;
            if (!overtaken_.contains(region)) mark(member, seq, region, changes);
        }
    }
}

}  // namespace cmirror::mirror_log
