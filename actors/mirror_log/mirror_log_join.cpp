// Joining a group: starting a state, getting it from others, giving it to them (design.md, "Joining").
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

void MirrorLogCore::entered_group(const Membership& membership, Instant now, Effects& effects) {
    in_group_ = true;
    self_ = membership.self;
    group_ = membership.members;
    // A node runs one cmirrord: what else is there on this one is none, or its end is under way.
    for (const MemberId member : membership.members) {
        if (member == self_) continue;
        legacy_.at_join.push_back(member);
        if (member.node != self_.node) older_.insert(member);
    }
    found_alone_ = older_.empty();
    if (view_) note_quorum(view_->quorate, now);
    if (found_alone_)
        found(now, effects);
    else
        introduce(effects);
}

void MirrorLogCore::introduce(Effects& effects) {
    effects.emplace_back(SendEffect{Hello{token_, config_.boot, config_.luid, args_.region_size_sectors,
                                          args_.region_count, args_.disk_log, config_.version}});
}

/// No member has the state: this one starts it, from the log device if there is one.
void MirrorLogCore::found(Instant now, Effects& effects) {
    receiver_.reset();
    backlog_.clear();
    founding_ = true;
    // Whether the state file may be believed depends on the ring.
    awaiting_view_ = kept_ && !view_;
    if (awaiting_view_) return;
    awaiting_device_ = device_ready() && now < device_doubt_until_;
    if (awaiting_device_) return;
    if (device_ready()) {
        reading_device_ = true;
        ++reads_open_;
        effects.emplace_back(ReadEffect{args_.region_count});
        return;
    }
    found_with(nullptr, now, effects);
}

void MirrorLogCore::found_with(const DeviceImage* image, Instant now, Effects& effects) {
    const bool nosync = args_.sync == ConstructorArguments::Sync::nosync;
    const bool kept = state_kept_ == StateKept::whole && state_ && view_ && view_->nodes.size() <= 1 &&
                      (!kept_ring_ || *kept_ring_ == view_->ring);
    const bool from_file = !kept && kept_is_everything();
    // A log that was in use before may have been written to by others since: nosync speaks of its first start alone.
    const bool first_start = found_alone_ && !resumed_before_ && !reconnected_ && !had_quorum_;
    if (kept) {
        state_->forget_members();
    } else if (from_file) {
        state_.emplace(args_.region_count);
        state_->start_kept(*kept_, owner());
    } else {
        const std::optional<LogState> before = std::exchange(before_ ? before_ : state_, std::nullopt);
        state_.emplace(args_.region_count);
        if (image != nullptr && image->is_log)
            state_->start_from(image->words, image->region_count, nosync && first_start);
        else
            state_->start(nosync && first_start);
        if (!first_start) state_->assume_all_reached();
        const bool device_knows = image != nullptr && image->is_log;
        if (before) take_before(*before, device_knows);
        // Their kernels may write, and what they had marked is not known.
        for (const NodeId node : std::exchange(unseen_, {}))
            state_->assume_unseen(node, device_knows);
    }
    if (image != nullptr) writer_.everything_changed(args_.region_count);
    state_->begin_lineage(token_);
    merged_ = true;
    applying_ = true;
    for (const MemberId member : group_)
        state_->joined(member);
    introduce_legacy(effects);
    say(LogLevel::notice,
        "started alone" + std::string(kept || from_file ? ", as it was left" : "") + ": " +
            std::to_string(state_->sync().count()) + " of " + std::to_string(args_.region_count) + " regions in sync",
        effects);
    introduce(effects);
    effects.emplace_back(SendEffect{Valid{token_, state_->lineage()}});
    // What was delivered meanwhile concerns members that came later.
    for (const GroupEvent& event : std::exchange(backlog_, {}))
        if (applying_) apply(event, now, effects);
}

void MirrorLogCore::take_before(const LogState& before, bool device_knows) {
    if (state_kept_ == StateKept::nothing) return;
    if (state_kept_ == StateKept::marks) {
        state_->take_marks(before, owner(), device_knows);
        if (!state_->absent_owners().empty()) state_->assume_all_reached();
    } else {
        state_->take_others(before, owner(), device_knows);
    }
    // Those that this node has seen go did not leave in good order.
    for (const auto* gone : {&daemonless_, &strangers_})
        for (const NodeId node : *gone)
            state_->not_doubted(node);
}

/// Who had died would be back after some time, with its kernel's marks. Of who is not in the ring other means tell.
void MirrorLogCore::end_doubts(Instant now, Effects& effects) {
    if (!state_->has_doubts() || !is_server() || !quorate()) return doubted_since_.clear();
    std::set<NodeId> doubted = state_->doubted_nodes();
    std::erase_if(doubted, [this](NodeId node) { return !in_ring(node); });
    doubted_since_.keep(doubted, now);
    const std::vector<NodeId> gone = doubted_since_.take_overdue(config_.settings.back_within, now);
    for (const NodeId node : gone)
        outbox_.add({OpKind::node_gone, node, 1});
    if (!gone.empty()) outbox_.send(effects, now);
}

// Until the state is here only what brings it counts; what is delivered behind its point is kept, and all since the
// join, should a legacy member give the state.
void MirrorLogCore::await_state(const GroupEvent& event, Instant now, Effects& effects) {
    const auto* delivery = std::get_if<GroupDelivery>(&event);
    if (delivery != nullptr && !founding_) {
        await_legacy(*delivery);
        if (const auto* begin = std::get_if<StateBegin>(&delivery->message)) {
            const bool again =
                receiver_ && receiver_->sender() == delivery->sender && receiver_->transfer() == begin->transfer;
            if (again) return;
            backlog_.clear();
            legacy_.backlog_whole = false;
            receiver_.emplace(delivery->sender, begin->transfer, state_size_max(args_.region_count));
            regained_before_state_ = regained_at_;
            return;
        }
        if (const auto* chunk = std::get_if<StateChunk>(&delivery->message))
            return receive(*delivery, *chunk, now, effects);
        // A member that started the state anew does not know of us yet.
        if (std::holds_alternative<Valid>(delivery->message) && !receiver_) introduce(effects);
    }
    if (!receiver_ && !founding_ && !legacy_.backlog_whole) return;
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
    // There is nothing to come back for.
    if (life_ == LifeState::leaving) {
        leave_due_ = Instant{0};
        return;
    }
    reset_membership();
    life_ = LifeState::joining;
    effects.emplace_back(LeaveEffect{});
    effects.emplace_back(JoinEffect{in_use_});
}

void MirrorLogCore::load_state(Instant now, Effects& effects) {
    const std::optional<LogState> old = std::exchange(state_, std::nullopt);
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
    if (old && state_kept_ == StateKept::others) note_reached(*old);
    given_quorum();
    for (const GroupEvent& event : backlog)
        if (applying_) apply(event, now, effects);
    // A server looks at the log device before it writes it.
    merged_ = !device_ready();
    if (!applying_) return;
    // What gave this state may have started it anew behind our Hello.
    const Member* own = state_->member(self_);
    if (own == nullptr || !own->introduced || own->token != token_) introduce(effects);
    effects.emplace_back(SendEffect{Valid{token_, state_->lineage()}});
}

/// A state may be given twice before this member counts.
void MirrorLogCore::note_reached(const LogState& old) {
    const std::vector<Op> ops = state_->not_reached_of(old);
    reached_before_.insert(reached_before_.end(), ops.begin(), ops.end());
    if (reached_before_.size() > LogState::reached_ops_max)
        reached_before_ = {{OpKind::reached, 0, args_.region_count}};
}

/// The last member that counted is gone before we did: what they had marked is known.
void MirrorLogCore::lose_state(Instant, Effects&) {
    applying_ = false;
    state_kept_ = StateKept::others;
    before_.reset();
    had_quorum_ = true;
    receiver_.reset();
    backlog_.clear();
}

/// The server gives joiners the state, again if an earlier server went away.
void MirrorLogCore::serve_joiners(Instant now, Effects& effects) {
    // Without quorum, or while partitions merge, it is not known whether this state will count.
    if (!is_server() || lost_quorum_ || merging_) {
        // Those that have a part of it are served from the start again.
        if (sender_) served_.clear();
        stop_sending();
        return;
    }
    if (sender_) return;
    const bool someone_waits = std::any_of(state_->members().begin(), state_->members().end(), [this](const Member& m) {
        return m.introduced && !m.valid && !served_.contains(m.id);
    });
    if (someone_waits) begin_state(now, effects);
}

void MirrorLogCore::begin_state(Instant now, Effects& effects) {
    stop_sending();
    sender_.emplace(random());
    sender_heard_ = now;
    effects.emplace_back(SendEffect{StateBegin{sender_->transfer()}});
}

void MirrorLogCore::stop_sending() {
    sender_.reset();
    if (state_) state_->thaw();
}

/// corosync may have lost something. A point in the order has one name: a joiner could take a later word of it for
/// another.
void MirrorLogCore::send_state_again(Instant now, Effects& effects) {
    if (!sender_->started()) return begin_state(now, effects);
    sender_heard_ = now;
    sender_->send_again(*state_, effects);
}

}  // namespace cmirror::mirror_log
