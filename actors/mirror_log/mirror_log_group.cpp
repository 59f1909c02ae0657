// The group: deliveries and members (design.md, "The replicated log").
#include <algorithm>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

bool MirrorLogCore::is_server() const {
    const Member* server = state_ ? state_->server() : nullptr;
    return valid_ && server != nullptr && server->id == self_;
}

void MirrorLogCore::cluster_lost(Instant now, Effects& effects) {
    if (ended_) return;
    const bool member = life_ == LifeState::joining || life_ == LifeState::active || life_ == LifeState::presuspended;
    if (life_ == LifeState::leaving) leave_due_ = now;
    if (member) {
        // No others can have quorum without this node, so nothing becomes durable behind its back.
        const bool alone = valid_ && group_.size() == 1 && view_ && view_->nodes.size() <= 1 && view_->quorate;
        if (alone) state_kept_ = StateKept::whole;
        if (valid_ && !alone) keep_others();
        kept_ring_.reset();
        reset_membership();
        life_ = LifeState::joining;
        say(LogLevel::warning, "corosync is gone: requests wait until it is back", effects);
    }
    if (view_) view_->quorate = false;
    after_event(now, effects);
}

void MirrorLogCore::membership(const Membership& membership, Instant now, Effects& effects) {
    if (ended_) return;
    const auto is_self = [&](const MemberChange& c) { return c.member == membership.self; };
    if (life_ == LifeState::joining && !in_group_) {
        if (std::any_of(membership.joined.begin(), membership.joined.end(), is_self))
            entered_group(membership, now, effects);
    } else if (in_group_) {
        handle(membership, now, effects);
    }
    after_event(now, effects);
}

void MirrorLogCore::delivered(MemberId sender, const ClusterMessage& message, Instant now, Effects& effects) {
    if (ended_ || !in_group_) return;
    if (sender == self_) control_.delivered(message, now, effects);
    handle(GroupDelivery{sender, message}, now, effects);
    if (state_) {
        progress_meter_.note(state_->sync_count(), now);
        if (const auto line = progress_meter_.tell(state_->sync_count(), state_->region_count(), now))
            say(LogLevel::info, *line, effects);
    }
    after_event(now, effects);
}

void MirrorLogCore::handle(const GroupEvent& event, Instant now, Effects& effects) {
    if (const auto* membership = std::get_if<Membership>(&event)) {
        group_ = membership->members;
        follow_nodes(*membership, now);
        for (const MemberChange& gone : membership->left) {
            if (older_.erase(gone.member) > 0 && gone.reason == ChangeReason::process_down)
                unseen_.insert(gone.member.node);
            if (receiver_ && receiver_->sender() == gone.member) receiver_.reset();
        }
    }
    if (const auto* delivery = std::get_if<GroupDelivery>(&event); delivery != nullptr && !older_.empty())
        note_speaker(*delivery);
    if (applying_)
        apply(event, now, effects);
    else
        await_state(event, now, effects);
    if (const auto* membership = std::get_if<Membership>(&event)) {
        start_merge(*membership, now, effects);
        decide_merge(effects);
    } else if (const auto* standing = std::get_if<Standing>(&std::get<GroupDelivery>(event).message)) {
        take_standing(std::get<GroupDelivery>(event).sender, *standing, effects);
    } else if (const auto* anew = std::get_if<Anew>(&std::get<GroupDelivery>(event).message)) {
        heard_anew(std::get<GroupDelivery>(event).sender, *anew, now, effects);
    }
    if (!in_group_) return;
    start_beside_legacy(now, effects);
    // Members that came after us can only have a state that came through here: the oldest one starts it.
    if (!applying_ && !founding_ && older_.empty()) {
        say(LogLevel::warning, "every member that had the state is gone", effects);
        found(now, effects);
    }
}

/// A node runs one cmirrord: once that has spoken, another process of its node has no state to wait for.
void MirrorLogCore::note_speaker(const GroupDelivery& delivery) {
    const bool ours = std::holds_alternative<Hello>(delivery.message) ||
                      std::holds_alternative<Valid>(delivery.message) ||
                      std::holds_alternative<StateBegin>(delivery.message);
    if (!ours) return;
    std::erase_if(older_, [&delivery](MemberId member) {
        return member.node == delivery.sender.node && member != delivery.sender;
    });
}

/// One event of the total order, on a state that has seen all before it.
void MirrorLogCore::apply(const GroupEvent& event, Instant now, Effects& effects) {
    if (mistaken_for_legacy(event, effects)) return;
    StateChanges changes;
    std::optional<std::uint64_t> own_end;
    if (const auto* membership = std::get_if<Membership>(&event)) {
        apply_membership(*membership, changes, effects);
    } else {
        const auto& delivery = std::get<GroupDelivery>(event);
        apply_delivery(delivery, changes, now, effects);
        const auto* ops = std::get_if<Ops>(&delivery.message);
        if (ops != nullptr && delivery.sender == self_) own_end = ops->first_seq + ops->ops.size();
    }
    if (!valid_) {
        if (!founding_ && state_->server() == nullptr) lose_state(now, effects);
        return;
    }
    react(changes, own_end, now, effects);
    server_changed(effects);
}

void MirrorLogCore::apply_membership(const Membership& membership, StateChanges& changes, Effects& effects) {
    // Whoever confirms from now on may have spoken while another one counted.
    if (!membership.left.empty()) sent_confirm_.clear();
    // One that went without a word may have written what nobody here knows of.
    if (std::any_of(membership.left.begin(), membership.left.end(),
                    [](const MemberChange& gone) { return gone.reason != ChangeReason::leave; }))
        handed_whole_ = false;
    for (const MemberChange& gone : membership.left) {
        if (gone.reason != ChangeReason::leave)
            say(LogLevel::notice, "node " + std::to_string(gone.member.node) + " is lost", effects,
                LogEvent::node_lost);
        state_->left(gone.member, gone.reason, changes);
        to_confirm_.erase(gone.member);
        sent_confirm_.erase(gone.member);
        durable_.erase(gone.member);
        writer_.member_left(gone.member);
        served_.erase(gone.member);
    }
    for (const MemberChange& come : membership.joined)
        state_->joined(come.member);
}

void MirrorLogCore::apply_delivery(const GroupDelivery& delivery, StateChanges& changes, Instant now,
                                   Effects& effects) {
    const MemberId sender = delivery.sender;
    if (const auto* ops = std::get_if<Ops>(&delivery.message)) {
        const Member* member = state_->member(sender);
        const bool gap =
            member != nullptr && sender == self_ && ops->token == token_ && ops->first_seq > member->next_seq;
        state_->apply(sender, *ops, changes);
        if (!valid_) return;
        if (gap) outbox_.send_again(effects, now);
        if (sender == self_) outbox_.delivered(state_->member(self_)->next_seq, now);
        note_durable_ops(sender, *ops);
        if (sender != self_) note_device_free(*ops);
    } else if (const auto* hello = std::get_if<Hello>(&delivery.message)) {
        if (hello->region_count != args_.region_count)
            say(LogLevel::error,
                "node " + std::to_string(sender.node) + " has a table with " + std::to_string(hello->region_count) +
                    " regions, not " + std::to_string(args_.region_count),
                effects);
        state_->hello(sender, *hello, changes);
    } else if (const auto* valid = std::get_if<Valid>(&delivery.message)) {
        const Member* member = state_->member(sender);
        if (member == nullptr || member->token != valid->token || valid->lineage != state_->lineage()) return;
        const bool known = founding_ || state_->knows(member->owner());
        state_->became_valid(sender);
        sent_confirm_.clear();
        if (sender == self_ && valid->token == token_ && !valid_) became_valid(known, now, effects);
    } else if (const auto* confirm = std::get_if<Confirm>(&delivery.message)) {
        if (valid_) take_confirm(sender, *confirm, effects);
    } else if (const auto* begin = std::get_if<StateBegin>(&delivery.message)) {
        if (sender == self_ && sender_ && sender_->transfer() == begin->transfer && !sender_->started()) {
            sender_heard_ = now;
            state_->freeze();
            sender_->start(*state_, effects);
            for (const Member& m : state_->members())
                if (!m.valid) served_.insert(m.id);
        } else if (sender != self_) {
            // It was the server when it said so: joiners wait for its state now, not for ours.
            stop_sending();
            served_.clear();
        }
    } else if (const auto* chunk = std::get_if<StateChunk>(&delivery.message)) {
        if (sender == self_ && sender_) {
            sender_heard_ = now;
            sender_->delivered(*chunk, *state_, effects);
        }
        if (sender_ && sender_->done()) stop_sending();
    } else if (const auto* frame = std::get_if<LegacyFrame>(&delivery.message)) {
        state_->legacy_frame(sender, *frame, changes);
        if (valid_ && state_->member(sender) != nullptr) heard_legacy(sender, *frame, effects);
    } else if (const auto* digest = std::get_if<StateDigest>(&delivery.message)) {
        compare_digest(sender, *digest, effects);
    }
}

void MirrorLogCore::compare_digest(MemberId sender, const StateDigest& theirs, Effects& effects) {
    if (theirs.ordinal == 0) {
        digest_mine_ = StateDigest{state_->ordinal(), state_->digest()};
        if (is_server()) effects.emplace_back(SendEffect{*digest_mine_});
        return;
    }
    if (sender == self_ || !digest_mine_ || digest_mine_->ordinal != theirs.ordinal) return;
    // One of another side of a partition has a state of its own until it has joined again.
    const Member* member = state_->member(sender);
    if (member == nullptr || !member->valid) return;
    if (digest_mine_->digest != theirs.digest)
        say(LogLevel::error,
            "the state differs from node " + std::to_string(sender.node) +
                "'s: suspend and resume the mirror on this node to take over the others' state",
            effects, LogEvent::states_differ);
}

}  // namespace cmirror::mirror_log
