// Quorum: when it counts, and whether others may have had it meanwhile (design.md, rule 8).
#include <algorithm>

#include "actors/mirror_log/mirror_log_core.hpp"

namespace cmirror::mirror_log {

/// Confirmed for the current ring: a view that still has nodes which the group saw go is an old one.
bool MirrorLogCore::quorate() const {
    if (!view_ || !view_->quorate || merging_ || lost_quorum_) return false;
    return std::none_of(view_->nodes.begin(), view_->nodes.end(),
                        [this](NodeId node) { return nodes_lost_.contains(node); });
}

/// As far as this node was told.
bool MirrorLogCore::in_ring(NodeId node) const {
    return view_ && std::find(view_->nodes.begin(), view_->nodes.end(), node) != view_->nodes.end();
}

void MirrorLogCore::quorum(const QuorumView& view, Instant now, Effects& effects) {
    if (ended_) return;
    const bool before = quorate();
    view_ = view;
    std::erase_if(nodes_lost_, [&](const auto& lost) {
        return std::find(view.nodes.begin(), view.nodes.end(), lost.first) == view.nodes.end();
    });
    for (const NodeId node : daemonless_)
        if (std::find(view.nodes.begin(), view.nodes.end(), node) == view.nodes.end()) strangers_.insert(node);
    note_quorum(view.quorate, now);
    if (std::exchange(awaiting_view_, false)) found(now, effects);
    if (before && !quorate() && in_group_)
        say(LogLevel::warning, "quorum is lost: writes to regions that are not marked yet wait", effects,
            LogEvent::quorum_lost);
    after_event(now, effects);
}

// The quorum service and the group speak of the same rings, in any order.
void MirrorLogCore::follow_nodes(const Membership& membership, Instant now) {
    for (const MemberChange& gone : membership.left) {
        const NodeId node = gone.member.node;
        if (gone.reason == ChangeReason::process_down) daemonless_.insert(node);
        if (gone.reason != ChangeReason::node_down || node == self_.node) continue;
        device_doubt_until_ = now + config_.settings.device_doubt;
        strangers_.insert(node);
        if (in_ring(node)) nodes_lost_.try_emplace(node, now);
    }
    for (const MemberChange& come : membership.joined) {
        nodes_lost_.erase(come.member.node);
        daemonless_.erase(come.member.node);
    }
}

/// Quorum that was lost counts again when no partition turns out to have healed with it.
void MirrorLogCore::note_quorum(bool quorate_now, Instant now) {
    if (!quorate_now) {
        if (in_group_) lost_quorum_ = true;
        regained_at_.reset();
    } else if (lost_quorum_ && !regained_at_) {
        regained_at_ = now;
    }
}

void MirrorLogCore::settle_quorum(Instant now, Effects& effects) {
    std::erase_if(nodes_lost_, [&](const auto& lost) { return now - lost.second >= config_.settings.view_doubt; });
    if (lost_quorum_ && regained_at_ && !merging_ && now - *regained_at_ >= config_.settings.quorum_settle)
        regain_quorum(effects);
    if (!valid_ || !quorate()) return;
    // Whoever is not in this ring has no quorum without one of those who are.
    if (quorate_ring_ != view_->ring) {
        ring_before_ = std::exchange(quorate_ring_, view_->ring);
        quorate_since_ = now;
    }
    for (const NodeId node : strangers_)
        daemonless_.erase(node);
    strangers_.clear();
}

/// A daemon that was stopped may hear of the healed ring before it hears that its group was cut: a ring that was new
/// when a merge began is one that it had no part in.
std::uint64_t MirrorLogCore::ring_at_merge(Instant now) const {
    const bool settled = now - quorate_since_ >= config_.settings.quorum_settle;
    return (settled ? quorate_ring_ : ring_before_).value_or(0);
}

/// The quorum that was lost counts again, unless the members that this side lost sight of may have had it in between:
/// what they wrote then is not in this state. Those that come back with theirs say so; the others start the log anew.
void MirrorLogCore::regain_quorum(Effects& effects) {
    if (!lost_quorum_ || !view_ || !view_->quorate) return;
    regained_at_.reset();
    const bool anew = in_group_ && (valid_ || founding_) && (own_word_only() || !strangers_.empty());
    if (anew && !anew_asked_)
        say(LogLevel::warning, "has quorum again, but others may have had it meanwhile: it starts anew", effects,
            LogEvent::quorum_back);
    if (anew && is_server() && !mixed() && life_ != LifeState::leaving) {
        if (!std::exchange(anew_asked_, true)) effects.emplace_back(SendEffect{Anew{token_}});
        return;
    }
    lost_quorum_ = false;
    if (!in_group_) return;
    if (!anew) return say(LogLevel::notice, "has quorum again", effects, LogEvent::quorum_back);
    keep_others();
    rejoin(effects);
}

/// A state that a member gave is as good as that member's: without quorum none is given.
bool MirrorLogCore::own_word_only() const {
    return found_alone_ && !quorate_ring_;
}

/// Without quorum no state is given: what this daemon lost before it came into the ring, whoever gave the state did
/// not.
void MirrorLogCore::given_quorum() {
    if (!regained_at_ || regained_at_ != regained_before_state_) return;
    lost_quorum_ = false;
    regained_at_.reset();
}

/// What a state that starts anew takes over from this one.
void MirrorLogCore::keep_others() {
    if (!valid_) return;
    state_kept_ = StateKept::others;
    had_quorum_ = had_quorum_ || !own_word_only();
}

/// Not by leaving the group: a member that waits for a state would start one, and know of nobody's marks.
void MirrorLogCore::heard_anew(MemberId sender, const Anew& anew, Instant now, Effects& effects) {
    // The merge decides, and says whether it is still needed.
    if (merging_) {
        if (sender == self_) anew_asked_ = false;
    } else if (sender == self_) {
        if (anew_asked_ && anew.token == token_) start_anew(now, effects);
    } else if (applying_) {
        const Member* member = state_->member(sender);
        if (member == nullptr || !member->valid || member->token != anew.token) return;
        say(LogLevel::notice, "node " + std::to_string(sender.node) + " starts the state anew: joining again", effects);
        keep_others();
        rejoin(effects);
    } else if (receiver_ && receiver_->sender() == sender) {
        receiver_.reset();
        backlog_.clear();
    }
}

void MirrorLogCore::start_anew(Instant now, Effects& effects) {
    // Who leaves starts nothing.
    if (life_ == LifeState::leaving) return rejoin(effects);
    keep_others();
    std::vector<MemberId> group = std::move(group_);
    reset_membership();
    life_ = LifeState::joining;
    in_group_ = true;
    found_alone_ = true;
    group_ = std::move(group);
    if (view_) note_quorum(view_->quorate, now);
    found(now, effects);
}

}  // namespace cmirror::mirror_log
