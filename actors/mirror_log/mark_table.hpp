// Who has which region marked: the owners of marks, looked up by region and by owner.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// Marks, each owned by one kernel's instance of the log. Memory grows with the number of marks.
class MarkTable {
  public:
    /// True if the mark is new.
    bool add(Owner owner, RegionNumber region);
    /// True if there was such a mark.
    bool remove(Owner owner, RegionNumber region);
    /// The marks that the owner had, lowest first; also forgets that it may have marked anything.
    std::vector<RegionNumber> remove_all(Owner owner);

    /// From now on the owner counts as having marked every region (its marks are not known).
    void add_everything(Owner owner) { everything_.insert(owner); }
    void remove_everything(Owner owner) { everything_.erase(owner); }
    bool has_everything(Owner owner) const { return everything_.contains(owner); }

    bool marked(RegionNumber region) const { return !everything_.empty() || by_region_.contains(region); }
    bool marked_by(Owner owner, RegionNumber region) const;
    /// By anyone but `owner`; a mark-everything of others counts.
    bool marked_by_other(Owner owner, RegionNumber region) const;

    /// No one but `owner` has marks, and its own are known.
    bool only_of(Owner owner) const {
        return everything_.empty() && (by_owner_.empty() || (by_owner_.size() == 1 && by_owner_.contains(owner)));
    }

    std::uint64_t count() const { return total_; }
    /// Owners with marks, or with unknown ones.
    std::vector<Owner> owners() const;
    /// Marks that are known of this owner, lowest first.
    const std::set<RegionNumber>& of(Owner owner) const;
    /// Owners whose marks are not known.
    const std::set<Owner>& everything() const { return everything_; }

  private:
    std::map<Owner, std::set<RegionNumber>> by_owner_;
    std::unordered_map<RegionNumber, std::uint32_t> by_region_;
    std::set<Owner> everything_;
    std::uint64_t total_ = 0;
};

}  // namespace cmirror::mirror_log
