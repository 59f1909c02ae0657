// Legacy members: who is one, and when they get the state (design.md, "Mixed clusters"). What their requests do is in
// log_state_requests.cpp.
#include <algorithm>

#include "actors/mirror_log/log_state.hpp"
#include "messages/legacy_frame.hpp"

namespace cmirror::mirror_log {

namespace {

/// Older members told apart; of more than these the last ones share a bit that is never cleared.
constexpr std::size_t suspects_max = 63;

}  // namespace

void LogState::legacy_frame(MemberId sender, const LegacyFrame& frame, StateChanges& changes) {
    ++ordinal_;
    Member* member = find(sender);
    if (member == nullptr) return;
    if (!member->introduced && !member->legacy) became_legacy(*member, changes);
    if (member->legacy) ++member->next_seq;
    // Behind the last legacy member, frames of ours may still be under way.
    if (!mixed()) return;
    if (frame.type == legacy_checkpoint_ready)
        legacy_checkpoint(*member, frame.originator);
    else if (is_legacy_response(frame))
        legacy_response(*member, frame, changes);
    else
        legacy_request(*member, frame, changes);
    settle(changes);
}

/// Its first frame tells: a member of ours says Hello first, a legacy one RESUME.
void LogState::became_legacy(Member& member, StateChanges& changes) {
    member.legacy = true;
    member.legacy_joins = ++legacy_.joins;
    changes.legacy_came = true;
    // It never says which instance its kernel has.
    if (boots_.contains({member.id.node, unseen_luid})) end_owner({member.id.node, unseen_luid});
    if (mixed()) return;
    legacy_.mode = LegacyGroup::Mode::entering;
    legacy_.copy.emplace(region_count());
}

/// A joiner keeps the frames from its join on, and applies them to the copy as it was then.
void LogState::legacy_joined(MemberId id) {
    if (legacy_.mode != LegacyGroup::Mode::mixed) return;
    LegacyCheckpoint& checkpoint = legacy_.checkpoints[id] = legacy_.copy->checkpoint();
    // Where legacy members believe too much, a joiner need not.
    for (std::size_t i = 0; i < checkpoint.sync_words.size(); ++i) {
        checkpoint.sync_words[i] &= sync_.word32(i);
        checkpoint.clean_words[i] &= clean_.word32(i);
    }
}

void LogState::legacy_became_valid(Member& member) {
    if (member.legacy_valid) return;
    member.legacy_valid = true;
    legacy_.checkpoints.erase(member.id);
    boots_.try_emplace(member.owner());
    find_orphans();
}

/// Who sends a checkpoint has a state; who it is for has one from here on. Joiners of ours want more than that.
void LogState::legacy_checkpoint(Member& sender, NodeId joiner) {
    if (sender.legacy) legacy_became_valid(sender);
    if (!sender.legacy && !sender.valid) return;
    for (Member& member : members_)
        if (member.legacy && member.id.node == joiner) legacy_became_valid(member);
}

void LogState::legacy_left(const Member& gone, StateChanges& changes) {
    legacy_.checkpoints.erase(gone.id);
    std::erase_if(legacy_.requests, [&](const LegacyRequest& r) { return r.origin == gone.id; });
    for (std::size_t i = 0; i < legacy_.older.size(); ++i) {
        if (legacy_.older[i] != gone.id) continue;
        legacy_.older[i] = {};
        const std::uint64_t bit = std::uint64_t{1} << std::min(i, suspects_max);
        std::vector<RegionNumber> lost;
        for (const auto& [region, suspects] : legacy_.suspects)
            if ((suspects & bit) != 0) lost.push_back(region);
        for (const RegionNumber region : lost) {
            legacy_.suspects.erase(region);
            marks_.remove(unknown_owner, region);
            make_stale(region);
        }
        if (!lost.empty()) changes.writers_lost.push_back({gone.id.node, legacy_luid});
        if (legacy_.suspects.empty()) boots_.erase(unknown_owner);
    }
    if (!mixed()) return;
    const bool node_left =
        std::none_of(members_.begin(), members_.end(), [&](const Member& m) { return m.id.node == gone.id.node; });
    if (node_left) legacy_.copy->gone(gone.id.node);
    if (legacy_.undecided && (*legacy_.undecided == gone.id || !legacy_serves())) legacy_.undecided.reset();
    if (std::any_of(members_.begin(), members_.end(), [](const Member& m) { return m.legacy; })) return;
    legacy_.mode = LegacyGroup::Mode::none;
    legacy_.copy.reset();
    legacy_.checkpoints.clear();
    legacy_.requests.clear();
    legacy_.undecided.reset();
    legacy_.differing.clear();
    changes.legacy_gone = true;
}

/// While a legacy member is there, our own way of handing out is not used. When at most one region is out, legacy
/// members can be told.
void LogState::settle_legacy(StateChanges& changes) {
    if (!mixed()) return;
    for (const Ask& ask : std::exchange(asks_, {}))
        changes.nothing_to_do.push_back(ask.owner);
    wanted_.clear();
    if (legacy_.mode != LegacyGroup::Mode::entering) return;
    std::uint64_t out = 0;
    for (const auto& [first, run] : grants_.runs())
        out += run.count;
    const Member* speaker = server();
    if (out > 1 || speaker == nullptr) return;
    const bool told = std::all_of(members_.begin(), members_.end(),
                                  [this](const Member& m) { return !m.legacy || marks_told_to(m); });
    if (!told) return;
    std::optional<RegionNumber> recovering;
    NodeId recoverer = speaker->id.node;
    for (const auto& [first, run] : grants_.runs()) {
        recovering = first;
        recoverer = run.owner.node;
    }
    legacy_.copy->restate(sync_, clean_, recovering, recoverer);
    legacy_.differing.clear();
    legacy_.mode = LegacyGroup::Mode::mixed;
    for (const Member& member : members_)
        if (!member.introduced && !member.legacy_valid) legacy_joined(member.id);
}

bool LogState::marks_told_to(const Member& joiner) const {
    return std::all_of(members_.begin(), members_.end(),
                       [&](const Member& m) { return !m.valid || m.legacy_joins >= joiner.legacy_joins; });
}

// What such a checkpoint lacks: whose the dirty regions are, and which regions had been in sync before.
void LogState::start_legacy(const LegacyCheckpoint& checkpoint, const std::vector<MemberId>& older) {
    legacy_.mode = LegacyGroup::Mode::mixed;
    legacy_.copy.emplace(region_count());
    legacy_.copy->load(checkpoint);
    sync_.assign_raw(legacy_.copy->sync().raw());
    clean_.assign_raw(legacy_.copy->clean().raw());
    reached_.assign_raw(sync_.raw());
    ever_full_ = sync_.all();
    legacy_.older = older;
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < older.size(); ++i) {
        all |= std::uint64_t{1} << std::min(i, suspects_max);
        Member member;
        member.id = older[i];
        member.legacy = true;
        member.legacy_joins = ++legacy_.joins;
        members_.push_back(member);
        legacy_became_valid(members_.back());
    }
    boots_.try_emplace(unknown_owner);
    for (RegionNumber region = clean_.next_clear(0); region < region_count(); region = clean_.next_clear(region + 1)) {
        if (!sync_.test(region)) continue;
        legacy_.suspects[region] = all;
        place_mark(unknown_owner, region);
    }
    for (RegionNumber region = sync_.next_clear(0); region < region_count(); region = sync_.next_clear(region + 1))
        clean_.reset(region);
    // A failed leg leaves a region clean there.
    find_differing();
    if (const auto recovering = legacy_.copy->recovering(); recovering && !sync_.test(*recovering)) {
        const Owner who = owner_on(legacy_.copy->recoverer());
        if (present(who)) grants_.grant({who, *recovering, 1});
    }
    toggled(9, sync_.count());
}

const Member* LogState::lowest_member() const {
    const auto lowest = std::min_element(members_.begin(), members_.end(),
                                         [](const Member& a, const Member& b) { return a.id < b.id; });
    return lowest == members_.end() ? nullptr : &*lowest;
}

bool LogState::legacy_serves() const {
    const Member* lowest = lowest_member();
    return lowest != nullptr && lowest->legacy;
}

const Member* LogState::responder() const {
    const Member* lowest = lowest_member();
    if (lowest == nullptr || lowest->legacy) return nullptr;
    return lowest->valid ? lowest : server();
}

Owner LogState::owner_on(NodeId node) const {
    for (const Member& member : members_)
        if (member.valid && member.id.node == node) return member.owner();
    return {node, legacy_luid};
}

/// A legacy daemon died or was cut off; its kernel may write to the primary legs of regions out of sync, unmarked.
bool LogState::absent_legacy() const {
    return std::any_of(boots_.begin(), boots_.end(),
                       [this](const auto& b) { return b.first.luid == legacy_luid && !present(b.first); });
}

void LogState::not_suspected(MemberId id, RegionNumber region) {
    const auto suspects = legacy_.suspects.find(region);
    const auto older = std::find(legacy_.older.begin(), legacy_.older.end(), id);
    if (suspects == legacy_.suspects.end() || older == legacy_.older.end()) return;
    const auto index = static_cast<std::size_t>(older - legacy_.older.begin());
    if (index < suspects_max) suspects->second &= ~(std::uint64_t{1} << index);
    if (suspects->second != 0) return;
    legacy_.suspects.erase(suspects);
    clear(unknown_owner, region);
}

void LogState::note_differing(RegionNumber region) {
    if (legacy_.mode != LegacyGroup::Mode::mixed) return;
    if (!sync_.test(region) && (legacy_.copy->sync().test(region) || legacy_.copy->clean().test(region)))
        legacy_.differing.insert(region);
    else
        legacy_.differing.erase(region);
}

void LogState::find_differing() {
    legacy_.differing.clear();
    for (RegionNumber region = sync_.next_clear(0); region < region_count(); region = sync_.next_clear(region + 1))
        note_differing(region);
}

}  // namespace cmirror::mirror_log
