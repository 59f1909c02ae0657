// What each op does to the state.
#include <algorithm>
#include <bit>

#include "actors/mirror_log/failed_regions.hpp"
#include "actors/mirror_log/log_state.hpp"
#include "messages/wire_disk.hpp"
#include "messages/wire_state_file.hpp"

namespace cmirror::mirror_log {

namespace {

std::uint64_t key_of(Owner owner) {
    return std::hash<Owner>{}(owner);
}

}  // namespace

void LogState::apply(MemberId id, const Ops& ops, StateChanges& changes) {
    ++ordinal_;
    Member* member = find(id);
    if (member == nullptr || !member->valid || member->token != ops.token || ops.luid != member->luid) return;
    if (ops.first_seq > member->next_seq) return;
    for (std::uint64_t i = member->next_seq - ops.first_seq; i < ops.ops.size(); ++i) {
        apply_one(*member, ops.first_seq + i, ops.ops[i], changes);
        member = find(id);
        ++member->next_seq;
    }
    settle(changes);
}

void LogState::apply_one(const Member& member, std::uint64_t seq, const Op& op, StateChanges& changes) {
    const Owner owner = member.owner();
    switch (op.kind) {
        case OpKind::want_work:
            drop_ask(owner);
            asks_.push_back({owner, std::max<std::uint64_t>(op.count, 1)});
            return;
        case OpKind::withdraw:
            drop_ask(owner);
            return;
        case OpKind::confirm:
            return;
        case OpKind::presuspend:
            presuspend(owner);
            return;
        case OpKind::postsuspend:
            if (marks_.has_everything(owner) || !marks_.of(owner).empty()) changes.left_marked.push_back(owner);
            end_owner(owner);
            // The node's kernel has drained whatever an earlier, legacy daemon spoke for, too.
            if (const Owner earlier{owner.node, legacy_luid}; boots_.contains(earlier) && !present(earlier)) {
                if (!marks_.of(earlier).empty()) changes.left_marked.push_back(earlier);
                end_owner(earlier);
            }
            return;
        case OpKind::legacy_told:
            find(member.id)->legacy_joins = op.region;
            return;
        case OpKind::device_free:
            find(member.id)->handed_over = op.region;
            return;
        case OpKind::resumed:
            suspending_.erase(owner);
            std::erase_if(tried_, [owner](const auto& t) { return t.first == owner; });
            return;
        case OpKind::marked_unknown:
            if (op.count == marks_said) return everything_said(owner);
            mark_everything(owner, op.region != 0);
            await_copies(member, seq, changes);
            return;
        case OpKind::node_gone:
            node_gone(static_cast<NodeId>(op.region), changes);
            return;
        default:
            apply_to_regions(member, seq, op, changes);
    }
}

void LogState::apply_to_regions(const Member& member, std::uint64_t seq, const Op& op, StateChanges& changes) {
    const Owner owner = member.owner();
    if (op.region >= region_count() || op.count == 0) return;
    const std::uint64_t count = std::min(op.count, region_count() - op.region);
    if (op.kind == OpKind::clear) return clear_range(owner, op.region, count);
    if (op.kind == OpKind::release) return release(owner, op.region, count);
    if (op.kind == OpKind::not_clean && count == region_count()) return nothing_is_clean();
    if (op.kind == OpKind::reached && count == region_count()) return everything_was_reached();
    if (count > op_regions_max) return;
    for (RegionNumber region = op.region; region < op.region + count; ++region) {
        switch (op.kind) {
            case OpKind::mark:
                mark(member, seq, region, changes);
                break;
            case OpKind::recovered:
                recovered(owner, region);
                break;
            case OpKind::failed:
                failed(owner, region);
                break;
            case OpKind::prioritise:
                prioritise(region, changes);
                break;
            case OpKind::not_clean:
                not_clean(region);
                break;
            case OpKind::written:
                written(member, seq, region, changes);
                break;
            case OpKind::copying:
                copying(owner, region);
                break;
            case OpKind::reached:
                if (reached_.set(region)) changed_lines_.insert(state_line_of(region));
                break;
            default:
                break;
        }
    }
}

bool LogState::held_back(Owner owner, RegionNumber region) const {
    const std::optional<Owner> recoverer = grants_.granted_to(region);
    if (recoverer) return *recoverer != owner;
    return wanted_.contains(region) &&
           std::any_of(asks_.begin(), asks_.end(), [owner](const Ask& a) { return a.owner != owner; });
}

void LogState::mark(const Member& member, std::uint64_t seq, RegionNumber region, StateChanges& changes) {
    const Owner owner = member.owner();
    if (marks_.of(owner).contains(region)) return;
    if (!held_back(owner, region)) return place_mark(owner, region);
    held_.push_back({owner, region, member.id, seq});
    if (grants_.granted_to(region)) changes.waited_for.push_back(region);
}

void LogState::place_mark(Owner owner, RegionNumber region) {
    if (marks_.add(owner, region)) toggled(6, region, key_of(owner));
    set_clean(region, false);
}

void LogState::clear(Owner owner, RegionNumber region) {
    if (marks_.remove(owner, region)) toggled(6, region, key_of(owner));
    if (sync_.test(region) && !marks_.marked(region)) set_clean(region, true);
}

void LogState::clear_range(Owner owner, RegionNumber first, std::uint64_t count) {
    std::erase_if(held_,
                  [&](const HeldMark& h) { return h.owner == owner && h.region >= first && h.region - first < count; });
    if (count <= op_regions_max) {
        for (RegionNumber region = first; region < first + count; ++region)
            clear(owner, region);
        return;
    }
    const auto& mine = marks_.of(owner);
    const std::vector<RegionNumber> regions(mine.lower_bound(first), mine.lower_bound(first + count));
    for (const RegionNumber region : regions)
        clear(owner, region);
}

void LogState::recovered(Owner owner, RegionNumber region) {
    copied_as_well_.erase({region, owner});
    if (grants_.granted_to(region) != owner) return;
    grants_.end(region);
    if (overtaken_.erase(region) > 0) return;
    set_sync(region, true);
    if (const auto failed = failed_.extract(region))
        for (const Owner who : failed.mapped())
            tried_.erase({who, region});
    wanted_.erase(region);
    if (priority_set_.erase(region) > 0) std::erase(priority_, region);
}

// A leg's write failed, or a recovery did: the legs differ.
void LogState::failed(Owner owner, RegionNumber region) {
    copied_as_well_.erase({region, owner});
    if (grants_.granted_to(region) == owner) {
        grants_.end(region);
        tried_.insert({owner, region});
    }
    // Another's copy says nothing of what this kernel holds back from the other legs.
    overtake(owner, region);
    failed_[region].insert(owner);
}

/// Out of sync from now on, and dirty.
void LogState::make_stale(RegionNumber region) {
    set_sync(region, false);
    set_clean(region, false);
}

void LogState::release(Owner owner, RegionNumber first, std::uint64_t count) {
    end_copies(owner, first, count);
    const std::map<RegionNumber, Run> runs = grants_.runs();
    for (const auto& [start, run] : runs) {
        if (run.owner != owner) continue;
        const RegionNumber end = std::min(run.end(), first + count);
        for (RegionNumber region = std::max(start, first); region < end; ++region)
            grants_.end(region);
    }
}

void LogState::prioritise(RegionNumber region, StateChanges& changes) {
    if (sync_.test(region)) return;
    if (grants_.granted_to(region)) changes.preferred.push_back(region);
    if (priority_.size() < priority_max && priority_set_.insert(region).second) priority_.push_back(region);
}

void LogState::mark_everything(Owner owner, bool was_unknown) {
    marks_.add_everything(owner);
    for (RegionNumber region = 0; was_unknown && region < region_count(); ++region)
        overtake(owner, region);
    for (std::uint64_t block = 0; block <= device_block_of(region_count() - 1); ++block)
        changed_blocks_.insert(block);
    clean_.fill(false);
    toggled(7, 0, key_of(owner));
}

void LogState::presuspend(Owner owner) {
    suspending_.insert(owner);
    drop_ask(owner);
    grants_.end_all(owner);
    end_all_copies(owner);
}

// The log device says that the region may differ although it is clean here: someone absent wrote it, or a writer died.
void LogState::not_clean(RegionNumber region) {
    bool attributed = false;
    for (const auto& [owner, boot] : boots_) {
        if (present(owner)) continue;
        place_mark(owner, region);
        attributed = true;
    }
    if (!attributed) make_stale(region);
    orphans_due_ = true;
}

/// The same for all regions: the device tells nothing.
void LogState::nothing_is_clean() {
    bool attributed = false;
    for (const auto& [owner, boot] : boots_) {
        if (present(owner)) continue;
        mark_everything(owner, false);
        attributed = true;
    }
    for (RegionNumber region = 0; !attributed && region < region_count(); ++region)
        if (clean_.test(region)) make_stale(region);
    orphans_due_ = true;
}

void LogState::everything_said(Owner owner) {
    if (!marks_.has_everything(owner)) return;
    marks_.remove_everything(owner);
    toggled(7, 0, key_of(owner));
    clean_what_nobody_clears();
}

/// The instance has drained its I/O and is gone: what it still has marked was not written to all legs.
void LogState::end_owner(Owner owner) {
    drop_ask(owner);
    drop_held(owner);
    grants_.end_all(owner);
    end_all_copies(owner);
    suspending_.erase(owner);
    std::erase_if(tried_, [owner](const auto& t) { return t.first == owner; });
    const bool everything = marks_.has_everything(owner);
    for (const RegionNumber region : marks_.remove_all(owner)) {
        toggled(6, region, key_of(owner));
        make_stale(region);
    }
    // Any region may be one that its kernel never cleared.
    for (RegionNumber region = 0; everything && region < region_count(); ++region)
        make_stale(region);
    boots_.erase(owner);
    outdated_.erase(owner);
    doubted_.erase(owner);
    find_orphans();
    clean_what_nobody_clears();
}

// The CLEAR behind a recovery may be lost with its kernel: what is in sync and not marked has equal legs. A legacy
// member's checkpoint names no owners of marks.
void LogState::clean_what_nobody_clears() {
    if (mixed() || !marks_.everything().empty()) return;
    const std::span<const std::uint64_t> sync = sync_.raw();
    for (std::uint64_t word = 0; word < sync.size(); ++word) {
        for (std::uint64_t left = sync[word] & ~clean_.raw()[word]; left != 0; left &= left - 1) {
            const RegionNumber region = word * 64 + static_cast<unsigned>(std::countr_zero(left));
            if (!marks_.marked(region)) set_clean(region, true);
        }
    }
}

/// The kernel that wrote is gone for good, perhaps between its legs.
void LogState::lose_writer(Owner owner, StateChanges& changes) {
    if (marks_.has_everything(owner) || !marks_.of(owner).empty()) changes.writers_lost.push_back(owner);
    end_owner(owner);
    forget_reports(failed_, [owner](Owner o) { return o == owner; });
}

/// Refused for a node that has a member: whoever said so had not heard yet that it is back.
void LogState::node_gone(NodeId node, StateChanges& changes) {
    if (std::any_of(members_.begin(), members_.end(), [node](const Member& m) { return m.id.node == node; })) return;
    for (const auto& [owner, boot] : std::map<Owner, BootId>(boots_))
        if (owner.node == node && !present(owner)) lose_writer(owner, changes);
    // What its earlier instances reported, too.
    forget_reports(failed_, [node](Owner owner) { return owner.node == node; });
}

void LogState::drop_ask(Owner owner) {
    std::erase_if(asks_, [owner](const Ask& a) { return a.owner == owner; });
    if (asks_.empty()) wanted_.clear();
}

void LogState::drop_held(Owner owner) {
    std::erase_if(held_, [owner](const HeldMark& h) { return h.owner == owner; });
}

}  // namespace cmirror::mirror_log
