#include "actors/mirror_log/recovery_work.hpp"

#include <algorithm>

namespace cmirror::mirror_log {

bool RecoveryWork::startable(RegionNumber region) const {
    return current_ != region && !finished_.contains(region);
}

template <class Visit>
void RecoveryWork::each_startable(const GrantTable& grants, Owner owner, Visit visit) const {
    for (const auto& [first, run] : grants.runs()) {
        if (run.owner != owner) continue;
        auto finished = finished_.lower_bound(first);
        for (RegionNumber region = first; region < run.end(); ++region) {
            if (finished != finished_.end() && finished->first == region)
                ++finished;
            else if (current_ != region && !visit(region))
                return;
        }
    }
}

std::optional<RegionNumber> RecoveryWork::upcoming(const GrantTable& grants, Owner owner) const {
    if (current_) return current_;
    for (const RegionNumber region : preferred_)
        if (grants.granted_to(region) == owner && startable(region)) return region;
    std::optional<RegionNumber> lowest;
    each_startable(grants, owner, [&lowest](RegionNumber region) {
        lowest = region;
        return false;
    });
    return lowest;
}

std::optional<RegionNumber> RecoveryWork::next(const GrantTable& grants, Owner owner, Instant now) {
    // What an earlier daemon handed out may be another's by now. Who asks for work does not copy it any more.
    if (current_ && grants.granted_to(*current_) != owner) current_.reset();
    current_unknown_ = false;
    if (current_) return current_;
    current_ = upcoming(grants, owner);
    std::erase_if(preferred_, [&](RegionNumber region) { return current_ == region || !startable(region); });
    if (current_) started_ = now;
    return current_;
}

std::uint64_t RecoveryWork::left(const GrantTable& grants, Owner owner) const {
    std::uint64_t count = 0;
    each_startable(grants, owner, [&count](RegionNumber) {
        ++count;
        return true;
    });
    return count;
}

// A run doubles while it would take less than half the time it should, and halves when it takes more.
bool RecoveryWork::ended(RegionNumber region, Instant now, std::uint64_t op) {
    finished_[region] = op;
    if (current_ != region) return false;
    const Instant took = now - started_;
    if (took * static_cast<std::int64_t>(run_length_) * 2 < run_time)
        run_length_ = std::min(run_length_ * 2, run_max);
    else if (took * static_cast<std::int64_t>(run_length_) > run_time)
        run_length_ = std::max<std::uint64_t>(run_length_ / 2, 1);
    current_.reset();
    return true;
}

void RecoveryWork::prefer(RegionNumber region) {
    constexpr std::size_t preferred_max = 64;
    if (preferred_.size() < preferred_max) preferred_.push_back(region);
}

void RecoveryWork::stop() {
    current_.reset();
    current_unknown_ = false;
    preferred_.clear();
    finished_.clear();
}

void RecoveryWork::rejoin() {
    preferred_.clear();
    finished_.clear();
}

bool RecoveryWork::give_back(const GrantTable& grants, Owner owner, RegionNumber region, std::uint64_t op) {
    if (current_unknown_ || grants.granted_to(region) != owner || !startable(region)) return false;
    return finished_.emplace(region, op).second;
}

void RecoveryWork::heard(std::uint64_t ops) {
    std::erase_if(finished_, [ops](const auto& done) { return done.second < ops; });
}

}  // namespace cmirror::mirror_log
