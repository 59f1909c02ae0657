// Where a log starts: with nothing, from its device, from a file, or with what an earlier state said of others
// (design.md, rule 10).
#include <algorithm>

#include "actors/mirror_log/log_state.hpp"
#include "messages/invariant.hpp"
#include "messages/wire_disk.hpp"
#include "messages/wire_state_file.hpp"

namespace cmirror::mirror_log {

LogState::LogState(std::uint64_t region_count) : sync_(region_count), clean_(region_count), reached_(region_count) {}

void LogState::start(bool in_sync) {
    sync_.fill(in_sync);
    clean_.fill(in_sync);
    reached_.fill(in_sync);
    ever_full_ = in_sync;
    toggled(1, in_sync ? 1 : 0);
}

void LogState::start_from(std::span<const std::uint32_t> words, std::uint64_t known, bool in_sync_behind) {
    std::vector<std::uint32_t> map(words.begin(), words.end());
    map.resize(device_words(region_count()), 0);
    clean_.assign_words32(map);
    for (RegionNumber region = std::min(known, region_count()); region < region_count(); ++region) {
        if (in_sync_behind)
            clean_.set(region);
        else
            clean_.reset(region);
    }
    sync_.assign_raw(clean_.raw());
    reached_.assign_raw(sync_.raw());
    ever_full_ = sync_.all();
    toggled(2, sync_.count());
}

void LogState::start_kept(const KeptState& kept, Owner owner) {
    CMIRROR_INVARIANT(kept.in_sync.size() == region_words(region_count()));
    RegionWords clean = kept.in_sync;
    for (std::size_t word = 0; word < clean.size(); ++word)
        clean[word] &= ~kept.live[word];
    sync_.assign_raw(kept.in_sync);
    reached_.assign_raw(kept.reached);
    clean_.assign_raw(clean);
    ever_full_ = sync_.all();
    // Nobody else was there to write the region: this copy counts.
    if (const auto region = kept.standing.copying) {
        make_stale(*region);
        grants_.grant({owner, *region, 1});
    }
    toggled(8, sync_.count());
}

void LogState::take_others(const LogState& before, Owner own, bool device_knows) {
    // How legacy members' marks and grants are told apart depends on the group that they were in.
    if (before.mixed()) return;
    for (const auto& [owner, boot] : before.boots_) {
        if (!may_live_on(owner, own)) continue;
        if (before.doubted_.contains(owner)) {
            take_marks_of(owner, before, device_knows);
            continue;
        }
        boots_[owner] = boot;
        outdated_.insert(owner);
        place_marks(owner, before.marks_.of(owner), device_knows);
        if (before.marks_.has_everything(owner) || !(device_knows && mark_dirty(owner))) mark_everything(owner, false);
    }
    for (const auto& [first, run] : before.grants_.runs())
        if (outdated_.contains(run.owner) && !doubted_.contains(run.owner)) take_grant(run, device_knows);
    find_orphans();
}

void LogState::take_marks(const LogState& before, Owner own, bool device_knows) {
    if (before.mixed()) return;
    for (const auto& [owner, boot] : before.boots_)
        if (may_live_on(owner, own)) take_marks_of(owner, before, device_knows);
    find_orphans();
}

void LogState::take_marks_of(Owner owner, const LogState& before, bool device_knows) {
    const bool was_there = before.present(owner);
    if (was_there && before.suspending_.contains(owner)) return;
    std::set<RegionNumber> regions = before.marks_.of(owner);
    for (const auto& [first, run] : before.grants_.runs())
        for (RegionNumber region = first; run.owner == owner && region < run.end(); ++region)
            regions.insert(region);
    place_marks(owner, regions, device_knows);
    const bool same_size = before.region_count() == region_count();
    const bool named = !device_knows || !same_size || mark_dirty(owner, &before.sync_);
    if (before.marks_.has_everything(owner) || !named) mark_everything(owner, false);
    if (!marks_.has_everything(owner) && marks_.of(owner).empty()) return;
    boots_[owner] = before.boots_.at(owner);
    outdated_.insert(owner);
    if (was_there || before.doubted_.contains(owner)) doubted_.insert(owner);
}

void LogState::assume_unseen(NodeId node, bool device_knows) {
    const Owner owner{node, unseen_luid};
    boots_[owner] = BootId{};
    outdated_.insert(owner);
    if (!(device_knows && mark_dirty(owner))) mark_everything(owner, false);
    find_orphans();
}

/// What was assumed of it is its own to say now. Should its kernel be another one since, the regions are out of sync.
void LogState::unseen_is(Owner owner, const BootId& boot) {
    const Owner unseen{owner.node, unseen_luid};
    if (boots_.erase(unseen) == 0) return;
    outdated_.erase(unseen);
    if (marks_.has_everything(unseen)) {
        mark_everything(owner, false);
        everything_said(unseen);
    }
    for (const RegionNumber region : std::set<RegionNumber>(marks_.of(unseen))) {
        place_mark(owner, region);
        clear(unseen, region);
    }
    boots_[owner] = boot;
    outdated_.insert(owner);
    orphans_due_ = true;
}

void LogState::not_doubted(NodeId node) {
    std::erase_if(doubted_, [node](Owner owner) { return owner.node == node; });
}

std::set<NodeId> LogState::doubted_nodes() const {
    std::set<NodeId> nodes;
    for (const Owner owner : doubted_)
        nodes.insert(owner.node);
    for (const auto& [owner, boot] : boots_)
        if (!doubted_.contains(owner)) nodes.erase(owner.node);
    for (const Member& member : members_)
        nodes.erase(member.id.node);
    return nodes;
}

std::vector<Op> LogState::not_reached_of(const LogState& other) const {
    std::vector<Op> ops;
    if (other.region_count() != region_count()) return ops;
    const auto words = [](const RegionMap& map, RegionNumber region) { return map.raw()[region / 64]; };
    for (RegionNumber region = 0; region < region_count(); ++region) {
        // Whole words are alike nearly everywhere.
        if (region % 64 == 0 && (words(other.reached_, region) & ~words(reached_, region)) == 0) {
            region += 63;
            continue;
        }
        if (!other.reached_.test(region) || reached_.test(region)) continue;
        const bool goes_on = !ops.empty() && ops.back().region + ops.back().count == region;
        if (goes_on && ops.back().count < op_regions_max) {
            ++ops.back().count;
        } else if (ops.size() < reached_ops_max) {
            ops.push_back({OpKind::reached, region, 1});
        } else {
            // Too much to be told one by one: to count as in sync once costs waiting alone.
            return {{OpKind::reached, 0, region_count()}};
        }
    }
    return ops;
}

void LogState::everything_was_reached() {
    assume_all_reached();
    for (std::uint64_t line = 0; line <= state_line_of(region_count() - 1); ++line)
        changed_lines_.insert(line);
}

/// An earlier instance of this node has drained its writes before this one was resumed.
bool LogState::may_live_on(Owner owner, Owner own) {
    return owner.node != own.node && owner.luid != legacy_luid;
}

void LogState::place_marks(Owner owner, const std::set<RegionNumber>& regions, bool device_knows) {
    for (const RegionNumber region : regions)
        if (region < region_count() && !(device_knows && clean_.test(region))) place_mark(owner, region);
}

/// What of it is not over: a run is copied in order.
void LogState::take_grant(Run run, bool device_knows) {
    const RegionNumber end = std::min(run.end(), region_count());
    while (run.first < end && device_knows && clean_.test(run.first))
        ++run.first;
    if (run.first >= end) return;
    run.count = end - run.first;
    for (RegionNumber region = run.first; region < end; ++region)
        make_stale(region);
    grants_.grant(run);
}

/// Marks all that is not clean, of those `among` if given. False if that is too much to be known one by one.
bool LogState::mark_dirty(Owner owner, const RegionMap* among) {
    constexpr std::uint64_t regions_max = 4096;
    std::vector<RegionNumber> dirty;
    for (RegionNumber region = clean_.next_clear(0); region < region_count(); region = clean_.next_clear(region + 1)) {
        if (among != nullptr && !among->test(region)) continue;
        if (dirty.size() == regions_max) return false;
        dirty.push_back(region);
    }
    for (const RegionNumber region : dirty)
        place_mark(owner, region);
    return true;
}

}  // namespace cmirror::mirror_log
