#include "actors/mirror_log/grant_table.hpp"

#include <algorithm>

#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

void GrantTable::grant(const Run& run) {
    CMIRROR_INVARIANT(run.count > 0);
    const auto next = runs_.lower_bound(run.first);
    CMIRROR_INVARIANT(next == runs_.end() || next->first >= run.end());
    CMIRROR_INVARIANT(next == runs_.begin() || std::prev(next)->second.end() <= run.first);
    runs_.emplace(run.first, run);
}

const Run* GrantTable::run_of(RegionNumber region) const {
    auto next = runs_.upper_bound(region);
    if (next == runs_.begin()) return nullptr;
    const Run& run = std::prev(next)->second;
    return region < run.end() ? &run : nullptr;
}

std::optional<Owner> GrantTable::granted_to(RegionNumber region) const {
    const Run* run = run_of(region);
    if (run == nullptr) return std::nullopt;
    return run->owner;
}

bool GrantTable::end(RegionNumber region) {
    const Run* found = run_of(region);
    if (found == nullptr) return false;
    const Run run = *found;
    runs_.erase(run.first);
    if (region > run.first) grant({run.owner, run.first, region - run.first, run.later});
    if (region + 1 < run.end()) grant({run.owner, region + 1, run.end() - region - 1, run.later});
    return true;
}

std::vector<Run> GrantTable::end_all(Owner owner) {
    std::vector<Run> ended;
    for (auto i = runs_.begin(); i != runs_.end();) {
        if (i->second.owner != owner) {
            ++i;
            continue;
        }
        ended.push_back(i->second);
        i = runs_.erase(i);
    }
    return ended;
}

bool GrantTable::any_of_other(Owner owner) const {
    return std::any_of(runs_.begin(), runs_.end(), [owner](const auto& r) { return r.second.owner != owner; });
}

bool GrantTable::any_later_of_other(Owner owner) const {
    return std::any_of(runs_.begin(), runs_.end(),
                       [owner](const auto& r) { return r.second.later && r.second.owner != owner; });
}

std::uint64_t GrantTable::regions_of(Owner owner) const {
    std::uint64_t count = 0;
    for (const auto& [first, run] : runs_)
        if (run.owner == owner) count += run.count;
    return count;
}

}  // namespace cmirror::mirror_log
