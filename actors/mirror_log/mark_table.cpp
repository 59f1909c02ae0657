#include "actors/mirror_log/mark_table.hpp"

#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

bool MarkTable::add(Owner owner, RegionNumber region) {
    if (!by_owner_[owner].insert(region).second) return false;
    ++by_region_[region];
    ++total_;
    return true;
}

bool MarkTable::remove(Owner owner, RegionNumber region) {
    const auto mine = by_owner_.find(owner);
    if (mine == by_owner_.end() || mine->second.erase(region) == 0) return false;
    if (mine->second.empty()) by_owner_.erase(mine);
    const auto all = by_region_.find(region);
    CMIRROR_INVARIANT(all != by_region_.end() && all->second > 0);
    if (--all->second == 0) by_region_.erase(all);
    --total_;
    return true;
}

std::vector<RegionNumber> MarkTable::remove_all(Owner owner) {
    everything_.erase(owner);
    const auto& mine = of(owner);
    std::vector<RegionNumber> regions(mine.begin(), mine.end());
    for (const RegionNumber region : regions)
        remove(owner, region);
    return regions;
}

bool MarkTable::marked_by(Owner owner, RegionNumber region) const {
    return everything_.contains(owner) || of(owner).contains(region);
}

bool MarkTable::marked_by_other(Owner owner, RegionNumber region) const {
    if (everything_.size() > (everything_.contains(owner) ? 1U : 0U)) return true;
    const auto all = by_region_.find(region);
    if (all == by_region_.end()) return false;
    return all->second > (of(owner).contains(region) ? 1U : 0U);
}

std::vector<Owner> MarkTable::owners() const {
    std::set<Owner> all = everything_;
    for (const auto& [owner, regions] : by_owner_)
        all.insert(owner);
    return {all.begin(), all.end()};
}

const std::set<RegionNumber>& MarkTable::of(Owner owner) const {
    static const std::set<RegionNumber> none;
    const auto mine = by_owner_.find(owner);
    return mine == by_owner_.end() ? none : mine->second;
}

}  // namespace cmirror::mirror_log
