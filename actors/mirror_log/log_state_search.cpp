// Handing out regions for recovery, and the marks that wait for it (design.md, "Runs" and rule 3).
#include <algorithm>
#include <utility>

#include "actors/mirror_log/log_state.hpp"

namespace cmirror::mirror_log {

/// After every event: marks whose region is free again are placed, asks that can be answered are.
void LogState::settle(StateChanges& changes) {
    settle_legacy(changes);
    grant_copied_as_well();
    if (std::exchange(orphans_due_, false)) find_orphans();
    release_held();
    if (asks_.empty()) return;
    std::vector<Ask> asks;
    asks.swap(asks_);
    std::vector<Ask> waiting;
    for (const Ask& ask : asks) {
        // held_back() asks who else waits.
        asks_ = waiting;
        switch (search(ask, changes)) {
            case Search::granted:
                break;
            case Search::wait:
                waiting.push_back(ask);
                break;
            case Search::nothing:
                changes.nothing_to_do.push_back(ask.owner);
                break;
        }
    }
    asks_ = std::move(waiting);
    if (asks_.empty()) wanted_.clear();
    release_held();
}

void LogState::release_held() {
    std::vector<HeldMark> still;
    for (const HeldMark& h : held_) {
        if (held_back(h.owner, h.region))
            still.push_back(h);
        else
            place_mark(h.owner, h.region);
    }
    held_ = std::move(still);
}

LogState::Availability LogState::availability(Owner owner, RegionNumber region) const {
    if (sync_.test(region) || grants_.run_of(region) != nullptr) return Availability::never;
    const auto failed = failed_.find(region);
    if (failed != failed_.end()) {
        const bool only_own = failed->second.size() == 1 && failed->second.contains(owner);
        if (!only_own || tried_.contains({owner, region})) return Availability::never;
    }
    if (reached_.test(region)) {
        if (absent_legacy()) return Availability::never;
        if (grants_.any_of_other(owner)) return Availability::later_must_wait;
    } else if (grants_.any_later_of_other(owner)) {
        return Availability::later_must_wait;
    }
    if (marks_.marked_by_other(owner, region)) return Availability::blocked_by_marks;
    return Availability::free;
}

LogState::Search LogState::search(const Ask& ask, StateChanges& changes) {
    if (suspending_.contains(ask.owner) || sync_.all()) return Search::nothing;
    std::vector<RegionNumber> blocked;
    bool wait = false;
    const std::optional<RegionNumber> found = find_free(ask.owner, blocked, wait);
    if (!found) {
        want(blocked, changes);
        return wait || !blocked.empty() ? Search::wait : Search::nothing;
    }
    Run run{ask.owner, *found, 1, reached_.test(*found)};
    while (run.count < ask.count && run.end() < region_count() && reached_.test(run.end()) == run.later &&
           availability(ask.owner, run.end()) == Availability::free)
        ++run.count;
    grants_.grant(run);
    for (RegionNumber region = run.first; region < run.end(); ++region) {
        wanted_.erase(region);
        overtaken_.erase(region);
        if (priority_set_.erase(region) > 0) std::erase(priority_, region);
    }
    changes.granted.push_back(run);
    return Search::granted;
}

/// The first region of the priority queue that is free, else the lowest. Regions that only the marks of present
/// owners keep are gathered in `blocked`; `wait` tells that another recovery must end first.
std::optional<RegionNumber> LogState::find_free(Owner owner, std::vector<RegionNumber>& blocked, bool& wait) const {
    const auto usable = [&](RegionNumber region) {
        switch (availability(owner, region)) {
            case Availability::free:
                return true;
            case Availability::blocked_by_marks:
                if (blocked.size() < wanted_max && owners_present(region, owner)) blocked.push_back(region);
                return false;
            case Availability::later_must_wait:
                wait = true;
                return false;
            case Availability::never:
                return false;
        }
        return false;
    };
    for (const RegionNumber region : priority_)
        if (usable(region)) return region;
    // Nothing is free of an owner that may have marked everything: no need to look at every region.
    bool any = false;
    for (const Owner unknown : marks_.everything()) {
        if (unknown == owner) continue;
        any = true;
        // A daemon that has just come is about to say what its kernel has marked.
        wait = wait || std::any_of(members_.begin(), members_.end(),
                                   [unknown](const Member& m) { return m.id.node == unknown.node && m.next_seq == 0; });
    }
    if (any) return {};
    // A region that fell out of sync later waits while anyone else recovers; the others need not be looked at then.
    const bool later_waits = grants_.any_of_other(owner);
    if (later_waits && fell_out_count() > 0) wait = true;
    if (grants_.any_later_of_other(owner)) {
        wait = true;
        return {};
    }
    const RegionMap& map = later_waits ? reached_ : sync_;
    for (RegionNumber region = map.next_clear(0); region < region_count(); region = map.next_clear(region + 1)) {
        if (const Run* run = grants_.run_of(region))
            region = run->end() - 1;
        else if (usable(region))
            return region;
    }
    return {};
}

bool LogState::owners_present(RegionNumber region, Owner asker) const {
    const std::vector<Owner> owners = marks_.owners();
    return std::all_of(owners.begin(), owners.end(), [&](Owner owner) {
        return owner == asker || !marks_.marked_by(owner, region) || (present(owner) && !marks_.has_everything(owner));
    });
}

void LogState::want(const std::vector<RegionNumber>& blocked, StateChanges& changes) {
    for (const RegionNumber region : blocked)
        if (wanted_.insert(region).second) changes.wanted.push_back(region);
}

}  // namespace cmirror::mirror_log
