// Members, and what is asked of the state. The ops are in log_state_ops.cpp, handing out in log_state_search.cpp.
#include "actors/mirror_log/log_state.hpp"

#include <algorithm>

#include "actors/mirror_log/failed_regions.hpp"
#include "messages/invariant.hpp"
#include "messages/wire_disk.hpp"
#include "messages/wire_state_file.hpp"

namespace cmirror::mirror_log {

namespace {

constexpr std::uint64_t mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
}

}  // namespace

void LogState::forget_members() {
    members_.clear();
    suspending_.clear();
    asks_.clear();
    wanted_.clear();
    held_.clear();
    legacy_ = {};
    find_orphans();
}

void LogState::joined(MemberId id) {
    ++ordinal_;
    if (find(id) != nullptr) return;
    Member member;
    member.id = id;
    members_.push_back(member);
    legacy_joined(id);
}

void LogState::hello(MemberId id, const Hello& hello, StateChanges& changes) {
    ++ordinal_;
    Member* member = find(id);
    if (member == nullptr || member->valid || member->legacy) return;
    // One that starts the state anew joins again without leaving, and may just have repeated its Hello of before.
    if (member->introduced && member->token == hello.token) return;
    member->introduced = true;
    legacy_.checkpoints.erase(id);
    member->token = hello.token;
    member->boot = hello.boot;
    member->luid = hello.luid;
    member->version = hello.version;
    unseen_is(member->owner(), hello.boot);
    // What its node left behind: another boot proves that the old kernel is gone; another instance in the same boot
    // was resumed after the old one had drained.
    for (const auto& [owner, boot] : std::map<Owner, BootId>(boots_)) {
        if (owner.node != id.node || present(owner)) continue;
        if (boot == BootId{}) {
            // A legacy member never said which boot it was: this one at the latest.
            boots_[owner] = hello.boot;
        } else if (boot != hello.boot) {
            lose_writer(owner, changes);
        } else if (owner.luid != hello.luid && owner.luid != legacy_luid) {
            if (!marks_.of(owner).empty()) changes.left_marked.push_back(owner);
            end_owner(owner);
        }
    }
    doubted_.erase({id.node, hello.luid});
    forget_reports(failed_, [&](Owner o) { return o.node == id.node && o.luid != hello.luid; });
    settle(changes);
}

void LogState::became_valid(MemberId id) {
    ++ordinal_;
    Member* member = find(id);
    if (member == nullptr || !member->introduced || member->valid) return;
    const Member* before = server();
    if (before != nullptr && id < before->id) ++find(before->id)->relieved;
    member->valid = true;
    member->next_seq = 0;
    boots_[member->owner()] = member->boot;
    outdated_.erase(member->owner());
    find_orphans();
}

void LogState::left(MemberId id, ChangeReason reason, StateChanges& changes) {
    ++ordinal_;
    const Member* found = member(id);
    if (found == nullptr) return;
    const Member gone = *found;
    std::erase_if(members_, [id](const Member& m) { return m.id == id; });
    legacy_left(gone, changes);
    if (gone.valid || gone.legacy_valid) {
        drop_ask(gone.owner());
        drop_held(gone.owner());
        if (reason == ChangeReason::leave) {
            if (!marks_.of(gone.owner()).empty()) changes.left_marked.push_back(gone.owner());
            end_owner(gone.owner());
        }
    }
    find_orphans();
    settle(changes);
}

const Member* LogState::member(MemberId id) const {
    const auto i = std::find_if(members_.begin(), members_.end(), [id](const Member& m) { return m.id == id; });
    return i == members_.end() ? nullptr : &*i;
}

Member* LogState::find(MemberId id) {
    return const_cast<Member*>(std::as_const(*this).member(id));
}

const Member* LogState::server() const {
    const Member* lowest = nullptr;
    for (const Member& m : members_)
        if (m.valid && (lowest == nullptr || m.id < lowest->id)) lowest = &m;
    return lowest;
}

const Member* LogState::confirmer_of(MemberId origin) const {
    const Member* first = server();
    if (first == nullptr || first->id != origin) return first;
    const Member* second = nullptr;
    for (const Member& m : members_)
        if (m.valid && m.id != origin && (second == nullptr || m.id < second->id)) second = &m;
    return second;
}

std::uint64_t LogState::applied_through(const Member& member) const {
    std::uint64_t through = member.next_seq;
    for (const HeldMark& h : held_)
        if (h.origin == member.id) through = std::min(through, h.seq);
    return through;
}

bool LogState::hands_device_over() const {
    return std::any_of(members_.begin(), members_.end(), [](const Member& m) { return m.handed_over < m.relieved; });
}

bool LogState::present(Owner owner) const {
    // Until one of those that it may be is gone (legacy_left()).
    if (owner == unknown_owner) return true;
    return std::any_of(members_.begin(), members_.end(),
                       [owner](const Member& m) { return (m.valid || m.legacy_valid) && m.owner() == owner; });
}

bool LogState::knows_others(Owner own) const {
    return std::any_of(boots_.begin(), boots_.end(), [own](const auto& known) { return known.first != own; });
}

std::vector<Owner> LogState::absent_owners() const {
    std::vector<Owner> absent;
    for (const auto& [owner, boot] : boots_)
        if (!present(owner)) absent.push_back(owner);
    return absent;
}

bool LogState::asked(Owner owner) const {
    return std::any_of(asks_.begin(), asks_.end(), [owner](const Ask& a) { return a.owner == owner; });
}

std::uint64_t LogState::sync_count() const {
    return all_orphaned_ ? 0 : sync_.count() - orphaned_in_sync_;
}

RegionNumber LogState::lowest_out_of_sync() const {
    if (all_orphaned_) return 0;
    const RegionNumber lowest = sync_.next_clear(0);
    return orphaned_.empty() ? lowest : std::min(lowest, *orphaned_.begin());
}

void LogState::find_orphans() {
    orphaned_.clear();
    orphaned_in_sync_ = 0;
    all_orphaned_ = false;
    for (const Owner owner : marks_.owners()) {
        if (present(owner)) continue;
        if (marks_.has_everything(owner)) all_orphaned_ = true;
        for (const RegionNumber region : marks_.of(owner))
            if (orphaned_.insert(region).second && sync_.test(region)) ++orphaned_in_sync_;
    }
}

void LogState::set_sync(RegionNumber region, bool value) {
    if (!(value ? sync_.set(region) : sync_.reset(region))) return;
    note_differing(region);
    toggled(3, region);
    changed_lines_.insert(state_line_of(region));
    if (orphaned_.contains(region)) orphaned_in_sync_ += value ? 1U : std::uint64_t(-1);
    if (value) reached_.set(region);
    if (sync_.all()) ever_full_ = true;
}

void LogState::set_clean(RegionNumber region, bool value) {
    if (!(value ? clean_.set(region) : clean_.reset(region))) return;
    toggled(4, region);
    changed_blocks_.insert(device_block_of(region));
}

void LogState::toggled(std::uint64_t kind, RegionNumber region, std::uint64_t who) {
    digest_ ^= mix(mix(region + (kind << 56U)) ^ who);
}

}  // namespace cmirror::mirror_log
