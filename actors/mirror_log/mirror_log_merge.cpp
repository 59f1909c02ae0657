// Partitions that merge, and nodes that are gone for good (design.md, rules 5 and 8). Quorum is in
// mirror_log_quorum.cpp.
#include <algorithm>
#include <iterator>
#include <tuple>

#include "actors/mirror_log/mirror_log_core.hpp"

namespace cmirror::mirror_log {

namespace {

/// The better standing wins: a state, quorum in a later ring, more events, the lower member.
auto rank(const std::pair<MemberId, Standing>& entry) {
    const auto& [member, standing] = entry;
    return std::make_tuple(standing.valid, standing.quorate_ring, standing.ordinal, ~member.node, ~member.process);
}

}  // namespace

/// Members came back that a partition had taken away: each side has a state of its own, and one of them wins.
void MirrorLogCore::start_merge(const Membership& membership, Instant now, Effects& effects) {
    // Whoever goes before the merge is decided comes back with a state of its own, or with none.
    if (merging_) {
        for (const MemberChange& gone : membership.left) {
            if (gone.reason != ChangeReason::node_down) remember_standing(gone.member);
            merging_->own_side.erase(gone.member);
            merging_->expected.erase(gone.member);
            merging_->standings.erase(gone.member);
        }
    }
    const bool returned =
        std::any_of(membership.joined.begin(), membership.joined.end(),
                    [this](const MemberChange& c) { return c.reason == ChangeReason::node_up && c.member != self_; });
    if (!returned) return;
    if (!merging_) {
        // Not emplace(): within the class clang takes Merging for one that needs arguments.
        merging_ = Merging{};
        for (const MemberId member : membership.members) {
            const bool came = std::any_of(membership.joined.begin(), membership.joined.end(),
                                          [member](const MemberChange& c) { return c.member == member; });
            if (!came) merging_->own_side.insert(member);
        }
        say(LogLevel::notice, "partitions merge: their states are compared", effects);
    }
    // Who joins later has nothing to say.
    merging_->expected = {membership.members.begin(), membership.members.end()};
    // A legacy member knows no standings.
    if (state_)
        for (const Member& member : state_->members())
            if (member.legacy) merging_->expected.erase(member.id);
    merging_->standings.clear();
    digest_mine_.reset();
    effects.emplace_back(
        SendEffect{Standing{token_, valid_ || founding_, ring_at_merge(now), applying_ ? state_->ordinal() : 0}});
}

/// Its state may live on in a member that has it from there and did not see the merge begin. It counts even if it does
/// not: a state that was behind it must not be kept.
void MirrorLogCore::remember_standing(MemberId gone) {
    const auto told = merging_->standings.find(gone);
    if (told == merging_->standings.end()) return;
    const bool own = merging_->own_side.contains(gone);
    if (!merging_->best_gone || rank(*merging_->best_gone) < rank(*told)) {
        merging_->best_gone = *told;
        merging_->best_gone_is_own = own;
    }
}

void MirrorLogCore::take_standing(MemberId sender, const Standing& standing, Effects& effects) {
    if (!merging_) return;
    merging_->standings[sender] = standing;
    decide_merge(effects);
}

/// When every member has spoken that is still there: at the same point of the order on all of them. A member that does
/// not speak is waited for, as it may be the one whose state has to win.
void MirrorLogCore::decide_merge(Effects& effects) {
    if (!merging_) return;
    if (!awaited().empty()) return;
    const auto best = std::max_element(merging_->standings.begin(), merging_->standings.end(),
                                       [](const auto& a, const auto& b) { return rank(a) < rank(b); });
    bool won = best != merging_->standings.end() && merging_->own_side.contains(best->first);
    if (merging_->best_gone && (best == merging_->standings.end() || rank(*best) < rank(*merging_->best_gone)))
        won = merging_->best_gone_is_own;
    if (won) {
        // A state that never had quorum was started since: it says nothing of what its node did before.
        for (const auto& [member, standing] : merging_->standings)
            if (standing.valid && standing.quorate_ring != 0 && standing.quorate_ring <= quorate_ring_.value_or(0))
                strangers_.erase(member.node);
    }
    merging_.reset();
    if (won) {
        say(LogLevel::notice, "this side's state is kept", effects);
        return regain_quorum(effects);
    }
    say(LogLevel::notice, "the other side's state is taken over; marks of this node are added to it", effects);
    // Should they go before they have given it.
    keep_others();
    rejoin(effects);
}

/// Whose standing a merge waits for, or who may have the state that a joiner waits for (without quorum none is given).
std::vector<MemberId> MirrorLogCore::awaited() const {
    std::vector<MemberId> silent;
    if (merging_) {
        // A node runs one cmirrord: when that has spoken, another process of its node is none, or its end is under way.
        const auto speaks = [this](MemberId member) {
            return std::any_of(merging_->standings.begin(), merging_->standings.end(),
                               [member](const auto& told) { return told.first.node == member.node; });
        };
        std::copy_if(group_.begin(), group_.end(), std::back_inserter(silent),
                     [&](MemberId member) { return merging_->expected.contains(member) && !speaks(member); });
    } else if (in_group_ && !applying_ && !founding_ && view_ && view_->quorate) {
        silent.assign(older_.begin(), older_.end());
    }
    return silent;
}

void MirrorLogCore::node_gone(NodeId node, Instant now, Effects& effects) {
    if (ended_ || !valid_) return;
    if (in_ring(node))
        return say(LogLevel::error,
                   "node " + std::to_string(node) + " is said to be gone, but is in the cluster: its marks stay",
                   effects);
    say(LogLevel::warning, "node " + std::to_string(node) + " is gone, as an administrator or a fencing agent says",
        effects, LogEvent::node_gone);
    outbox_.add({OpKind::node_gone, node, 1});
    outbox_.send(effects, now);
    after_event(now, effects);
}

/// Nodes with marks or grants that the ring has lost: after the time that fencing certainly takes they are gone.
void MirrorLogCore::watch_fencing(Instant now, Effects& effects) {
    const Instant limit = config_.settings.fenced_after;
    if (limit == Instant{0} || !valid_ || !view_) return;
    std::set<NodeId> lost;
    for (const Owner who : state_->absent_owners())
        if (!in_ring(who.node)) lost.insert(who.node);
    ring_lost_.keep(lost, now);
    if (!quorate()) return;
    for (const NodeId node : ring_lost_.take_overdue(limit, now)) {
        say(LogLevel::warning, "node " + std::to_string(node) + " counts as fenced", effects, LogEvent::node_gone);
        outbox_.add({OpKind::node_gone, node, 1});
    }
    if (outbox_.has_unsent()) outbox_.send(effects, now);
}

}  // namespace cmirror::mirror_log
