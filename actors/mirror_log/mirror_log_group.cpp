// The group: joining, deliveries, members, quorum (design.md, "Joining" and "Quorum").
#include <algorithm>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

namespace {

/// Events kept while the state is on its way; more of them, and the transfer starts over.
constexpr std::size_t backlog_max = 1 << 20;

/// Bytes that the saved state of a log may have: its maps, and room for marks.
std::uint64_t state_size_max(std::uint64_t region_count) {
    return region_count / 2 + (std::uint64_t{64} << 20U);
}

}  // namespace

bool MirrorLogCore::is_server() const {
    const Member* server = state_ ? state_->server() : nullptr;
    return valid_ && server != nullptr && server->id == self_;
}

/// Confirmed for the current ring: a view that still has nodes which the group saw go is an old one.
bool MirrorLogCore::quorate() const {
    if (!view_ || !view_->quorate || merging_ || lost_quorum_) return false;
    return std::none_of(view_->nodes.begin(), view_->nodes.end(),
                        [this](NodeId node) { return nodes_lost_.contains(node); });
}

void MirrorLogCore::quorum(const QuorumView& view, Instant now, Effects& effects) {
    if (ended_) return;
    const bool before = quorate();
    view_ = view;
    std::erase_if(nodes_lost_, [&](NodeId node) {
        return std::find(view.nodes.begin(), view.nodes.end(), node) == view.nodes.end();
    });
    note_quorum(view.quorate, now);
    if (before && !quorate() && in_group_)
        say(LogLevel::warning, "quorum is lost: writes to regions that are not marked yet wait", effects);
    after_event(now, effects);
}

void MirrorLogCore::cluster_lost(Instant now, Effects& effects) {
    if (ended_) return;
    const bool member = life_ == LifeState::joining || life_ == LifeState::active || life_ == LifeState::presuspended;
    if (life_ == LifeState::leaving) leave_due_ = now;
    if (member) {
        // No others can have quorum without this node, so nothing becomes durable behind its back.
        const bool alone = valid_ && group_.size() == 1 && view_ && view_->nodes.size() <= 1 && view_->quorate;
        state_kept_ = alone || (!valid_ && state_kept_);
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
    handle(GroupDelivery{sender, message}, now, effects);
    after_event(now, effects);
}

void MirrorLogCore::entered_group(const Membership& membership, Instant now, Effects& effects) {
    in_group_ = true;
    self_ = membership.self;
    group_ = membership.members;
    for (const MemberId member : membership.members)
        if (member != self_) older_.insert(member);
    found_alone_ = older_.empty();
    if (found_alone_)
        found(now, effects);
    else
        introduce(effects);
}

void MirrorLogCore::introduce(Effects& effects) {
    effects.emplace_back(SendEffect{
        Hello{token_, config_.boot, config_.luid, args_.region_size_sectors, args_.region_count, args_.disk_log}});
}

/// No member has the state: this one starts it, from the log device if there is one.
void MirrorLogCore::found(Instant now, Effects& effects) {
    receiver_.reset();
    backlog_.clear();
    founding_ = true;
    if (device_ready()) {
        reading_device_ = true;
        effects.emplace_back(ReadEffect{args_.region_count});
        return;
    }
    found_with(nullptr, now, effects);
}

void MirrorLogCore::found_with(const DeviceImage* image, Instant now, Effects& effects) {
    const bool nosync = args_.sync == ConstructorArguments::Sync::nosync;
    const bool kept =
        state_kept_ && state_ && view_ && view_->nodes.size() <= 1 && (!kept_ring_ || *kept_ring_ == view_->ring);
    const bool from_file = !kept && kept_is_everything();
    // A log that was in use before may have been written to by others since: nosync speaks of its first start alone.
    const bool first_start = found_alone_ && !resumed_before_ && !reconnected_;
    if (kept) {
        state_->forget_members();
    } else if (from_file) {
        state_.emplace(args_.region_count);
        state_->start_kept(*kept_, owner());
    } else {
        state_.emplace(args_.region_count);
        if (image != nullptr && image->is_log)
            state_->start_from(image->words, image->region_count, nosync && first_start);
        else
            state_->start(nosync && first_start);
        if (!first_start) state_->assume_all_reached();
    }
    if (image != nullptr) writer_.everything_changed(args_.region_count);
    merged_ = true;
    applying_ = true;
    for (const MemberId member : group_)
        state_->joined(member);
    say(LogLevel::notice,
        "started alone" + std::string(kept || from_file ? ", as it was left" : "") + ": " +
            std::to_string(state_->sync().count()) + " of " + std::to_string(args_.region_count) + " regions in sync",
        effects);
    introduce(effects);
    effects.emplace_back(SendEffect{Valid{token_}});
    // What was delivered meanwhile concerns members that came later.
    for (const GroupEvent& event : std::exchange(backlog_, {}))
        apply(event, now, effects);
}

void MirrorLogCore::handle(const GroupEvent& event, Instant now, Effects& effects) {
    if (const auto* membership = std::get_if<Membership>(&event)) {
        group_ = membership->members;
        for (const MemberChange& gone : membership->left) {
            older_.erase(gone.member);
            if (gone.reason == ChangeReason::node_down && gone.member.node != self_.node) lose_node(gone.member.node);
            if (receiver_ && receiver_->sender() == gone.member) receiver_.reset();
        }
    }
    if (applying_)
        apply(event, now, effects);
    else
        await_state(event, now, effects);
    if (const auto* membership = std::get_if<Membership>(&event)) {
        start_merge(*membership, now, effects);
        decide_merge(now, effects);
    } else if (const auto* standing = std::get_if<Standing>(&std::get<GroupDelivery>(event).message)) {
        take_standing(std::get<GroupDelivery>(event).sender, *standing, now, effects);
    }
    if (!in_group_) return;
    // Members that came after us can only have a state that came through here: the oldest one starts it.
    if (!applying_ && !founding_ && older_.empty()) {
        say(LogLevel::warning, "every member that had the state is gone", effects);
        found(now, effects);
    }
}

void MirrorLogCore::lose_node(NodeId node) {
    const bool in_view = view_ && std::find(view_->nodes.begin(), view_->nodes.end(), node) != view_->nodes.end();
    if (in_view) nodes_lost_.insert(node);
}

// Until the state is here only what brings it counts; what is delivered behind its point is kept.
void MirrorLogCore::await_state(const GroupEvent& event, Instant now, Effects& effects) {
    const auto* delivery = std::get_if<GroupDelivery>(&event);
    if (delivery != nullptr && !founding_) {
        if (const auto* begin = std::get_if<StateBegin>(&delivery->message)) {
            backlog_.clear();
            receiver_.emplace(delivery->sender, begin->transfer, state_size_max(args_.region_count));
            return;
        }
        if (const auto* chunk = std::get_if<StateChunk>(&delivery->message))
            return receive(*delivery, *chunk, now, effects);
        // A member that started the state anew does not know of us yet.
        if (std::holds_alternative<Valid>(delivery->message) && !receiver_) introduce(effects);
    }
    if (!receiver_ && !founding_) return;
    if (backlog_.size() < backlog_max) return backlog_.push_back(event);
    say(LogLevel::warning, "too much happened while the state was on its way: joining again", effects);
    rejoin(effects);
}

void MirrorLogCore::receive(const GroupDelivery& delivery, const StateChunk& chunk, Instant now, Effects& effects) {
    if (!receiver_ || receiver_->sender() != delivery.sender || receiver_->transfer() != chunk.transfer) return;
    switch (receiver_->take(chunk)) {
        case StateReceiver::Taken::more:
            return;
        case StateReceiver::Taken::complete:
            return load_state(now, effects);
        case StateReceiver::Taken::broken:
            say(LogLevel::error,
                "the state that node " + std::to_string(delivery.sender.node) + " sent is broken: joining again",
                effects);
            return rejoin(effects);
    }
}

void MirrorLogCore::rejoin(Effects& effects) {
    reset_membership();
    life_ = LifeState::joining;
    effects.emplace_back(LeaveEffect{});
    effects.emplace_back(JoinEffect{});
}

void MirrorLogCore::load_state(Instant now, Effects& effects) {
    state_.emplace(args_.region_count);
    const bool loaded = state_->load(receiver_->state());
    const MemberId from = receiver_->sender();
    receiver_.reset();
    std::vector<GroupEvent> backlog;
    backlog.swap(backlog_);
    if (!loaded) {
        state_.reset();
        say(LogLevel::error,
            "the state of node " + std::to_string(from.node) +
                " does not fit this mirror: load the same table on all nodes; requests wait until then",
            effects);
        return;
    }
    applying_ = true;
    for (const GroupEvent& event : backlog)
        if (applying_) apply(event, now, effects);
    // A server looks at the log device before it writes it.
    merged_ = !device_ready();
    if (applying_) effects.emplace_back(SendEffect{Valid{token_}});
}

/// The last member that counted is gone before we did.
void MirrorLogCore::lose_state(Instant, Effects&) {
    applying_ = false;
    state_.reset();
    receiver_.reset();
    backlog_.clear();
}

/// One event of the total order, on a state that has seen all before it.
void MirrorLogCore::apply(const GroupEvent& event, Instant now, Effects& effects) {
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
    serve_joiners(effects);
}

void MirrorLogCore::apply_membership(const Membership& membership, StateChanges& changes, Effects& effects) {
    for (const MemberChange& gone : membership.left) {
        if (gone.reason != ChangeReason::leave)
            say(LogLevel::notice, "node " + std::to_string(gone.member.node) + " is lost", effects);
        state_->left(gone.member, gone.reason, changes);
        to_confirm_.erase(gone.member);
        sent_confirm_.erase(gone.member);
        durable_.erase(gone.member);
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
    } else if (const auto* hello = std::get_if<Hello>(&delivery.message)) {
        if (hello->region_count != args_.region_count)
            say(LogLevel::error,
                "node " + std::to_string(sender.node) + " has a table with " + std::to_string(hello->region_count) +
                    " regions, not " + std::to_string(args_.region_count),
                effects);
        state_->hello(sender, *hello, changes);
    } else if (const auto* valid = std::get_if<Valid>(&delivery.message)) {
        const Member* member = state_->member(sender);
        if (member == nullptr || member->token != valid->token) return;
        const bool known = founding_ || state_->knows(member->owner());
        state_->became_valid(sender);
        if (sender == self_ && valid->token == token_) became_valid(known, now, effects);
    } else if (const auto* confirm = std::get_if<Confirm>(&delivery.message)) {
        if (valid_) take_confirm(sender, *confirm, effects);
    } else if (const auto* begin = std::get_if<StateBegin>(&delivery.message)) {
        if (sender == self_ && sender_ && sender_->transfer() == begin->transfer) {
            sender_.emplace(begin->transfer, state_->save());
            sender_->start(effects);
            for (const Member& m : state_->members())
                if (!m.valid) served_.insert(m.id);
        }
    } else if (const auto* chunk = std::get_if<StateChunk>(&delivery.message)) {
        if (sender == self_ && sender_) sender_->delivered(*chunk, effects);
        if (sender_ && sender_->done()) sender_.reset();
    } else if (const auto* digest = std::get_if<StateDigest>(&delivery.message)) {
        compare_digest(sender, *digest, effects);
    }
}

/// The server gives joiners the state, again if an earlier server went away.
void MirrorLogCore::serve_joiners(Effects& effects) {
    if (!is_server()) {
        sender_.reset();
        return;
    }
    if (sender_) return;
    const bool someone_waits = std::any_of(state_->members().begin(), state_->members().end(), [this](const Member& m) {
        return m.introduced && !m.valid && !served_.contains(m.id);
    });
    if (!someone_waits) return;
    sender_.emplace(random(), std::vector<std::byte>(1));
    effects.emplace_back(SendEffect{StateBegin{sender_->transfer()}});
}

void MirrorLogCore::compare_digest(MemberId sender, const StateDigest& theirs, Effects& effects) {
    if (theirs.ordinal == 0) {
        digest_mine_ = StateDigest{state_->ordinal(), state_->digest()};
        if (is_server()) effects.emplace_back(SendEffect{*digest_mine_});
        return;
    }
    if (sender == self_ || !digest_mine_ || digest_mine_->ordinal != theirs.ordinal) return;
    if (digest_mine_->digest != theirs.digest)
        say(LogLevel::error,
            "the state differs from node " + std::to_string(sender.node) +
                "'s: suspend and resume the mirror on this node to take over the others' state",
            effects);
}

}  // namespace cmirror::mirror_log
