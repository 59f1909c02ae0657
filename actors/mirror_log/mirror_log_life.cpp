// The life of the instance: it joins at a RESUME, leaves after a POSTSUSPEND, ends with a DTR.
#include "actors/mirror_log/mirror_log_core.hpp"

namespace cmirror::mirror_log {

// What ends late is a CLEAR and its FLUSH (spec/kernel.md). A RESUME may be lost for good.
bool MirrorLogCore::only_after_resume(const KernelRequest& request) {
    switch (request.type) {
        case RequestType::in_sync:
        case RequestType::mark_region:
        case RequestType::get_resync_work:
        case RequestType::is_remote_recovering:
            return true;
        case RequestType::flush: {
            const auto* regions = std::get_if<RegionList>(&request.payload);
            return regions != nullptr && !regions->empty();
        }
        default:
            return false;
    }
}

// An instance goes through a reconnect for any request that is lost (spec/kernel.md), and its RESUME says nothing: past
// a PRESUSPEND, recovery has stopped and writes drain; past a POSTSUSPEND, one that joined again would keep the group
// from the instance that takes its place. A real one that comes later cannot be told from one that the kernel repeats;
// the requests that follow show it.
void MirrorLogCore::resume(const KernelRequest& request, Instant now, Effects& effects) {
    const bool past_a_suspend = life_ == LifeState::presuspended || life_ == LifeState::suspended;
    if (past_a_suspend && reconnect_resumes_) {
        resume_ignored_ = true;
        return reply(request, {}, effects);
    }
    if (life_ == LifeState::presuspended) {
        reply(request, {}, effects);
        return resume_again(now, effects);
    }
    // The kernel of a reconnect is not suspended: what follows waits for the group by itself, and a RESUME that is lost
    // with its daemon would fail it.
    if (reconnect_resumes_)
        reply(request, {}, effects);
    else
        resume_requests_.push_back(request);
    start_joining(!reconnect_resumes_, effects);
}

/// One that gave way may have marks that its kernel waits for, as an earlier daemon did not tell anybody of them.
/// Without a state file its FLUSH may as well be the end of a write that came late: it must not end the instance that
/// is in use.
bool MirrorLogCore::shows_use(const KernelRequest& request) const {
    if (only_after_resume(request)) return true;
    const bool flushes_marks = request.type == RequestType::flush && !my_marks_.empty();
    return aside_ && (request.type == RequestType::set_region_sync || flushes_marks);
}

void MirrorLogCore::notice_use(const KernelRequest& request, Instant now, Effects& effects) {
    if (!shows_use(request)) return;
    drained_ = false;
    if (life_ == LifeState::presuspended && resume_ignored_ && request.type == RequestType::get_resync_work) {
        resume_again(now, effects);
    } else if (life_ == LifeState::suspended) {
        start_joining(true, effects);
        // Its RESUME was lost, or it has been in use all the time.
        hint_.reconnected();
    } else if (!std::exchange(in_use_, true) && life_ == LifeState::joining && !in_group_) {
        effects.emplace_back(JoinEffect{in_use_});
    }
}

void MirrorLogCore::start_joining(bool in_use, Effects& effects) {
    in_use_ = in_use;
    if (in_use) drained_ = false;
    aside_ = false;
    reconnect_resumes_ = false;
    if (resumed_before_ || !reconnected_)
        hint_.resumed();
    else
        hint_.reconnected();
    life_ = LifeState::joining;
    reset_membership();
    effects.emplace_back(JoinEffect{in_use_});
}

/// Forgets what belonged to an earlier membership.
void MirrorLogCore::reset_membership() {
    in_group_ = false;
    valid_ = false;
    applying_ = false;
    founding_ = false;
    served_.clear();
    digest_mine_.reset();
    quorate_ring_.reset();
    ring_before_.reset();
    strangers_.clear();
    daemonless_.clear();
    lost_quorum_ = false;
    anew_asked_ = false;
    regained_at_.reset();
    merging_.reset();
    ring_lost_.clear();
    doubted_since_.clear();
    found_alone_ = false;
    reading_device_ = false;
    reading_to_merge_ = false;
    awaiting_view_ = false;
    awaiting_device_ = false;
    merged_ = false;
    merge_need_ = 0;
    takes_over_ = false;
    handed_over_ = 0;
    device_rewrite_due_.reset();
    older_.clear();
    unseen_.clear();
    group_.clear();
    backlog_.clear();
    receiver_.reset();
    stop_sending();
    recovery_.rejoin();
    asked_ = false;
    to_confirm_.clear();
    sent_confirm_.clear();
    durable_.clear();
    writer_.forget();
    confirmed_ = 0;
    confirmed_by_other_ = 0;
    need_ = 0;
    work_need_ = 0;
    lazy_send_due_.reset();
    lazy_write_due_.reset();
    write_again_due_.reset();
    legacy_ = {};
    token_ = random();
    outbox_.start(token_, config_.luid);
    control_.start();
}

// The POSTSUSPEND was lost, or the kernel resumes without one: its hint is 0 again, and it may ask for work.
void MirrorLogCore::resume_again(Instant now, Effects& effects) {
    reconnect_resumes_ = false;
    past_presuspend_ = false;
    hint_.resumed();
    outbox_.add({OpKind::resumed, 0, 1});
    outbox_.send(effects, now);
    enter(LifeState::active, now, effects);
}

void MirrorLogCore::stop_recovery(const KernelRequest& request, Instant now, Effects& effects) {
    life_ = LifeState::presuspended;
    resume_ignored_ = false;
    past_presuspend_ = true;
    cool(warm_.take_all());
    recovery_.stop();
    asked_ = false;
    grant_idle_since_.reset();
    outbox_.add({OpKind::presuspend, 0, 1});
    outbox_.send(effects, now);
    answer_no_work(effects);
    reply(request, {}, effects);
}

// A kernel resumes an instance when the one before it has drained its I/O: its POSTSUSPEND was lost (spec/kernel.md),
// or this one was joined for a reconnect alone.
void MirrorLogCore::superseded(Instant now, Effects& effects) {
    const bool member = life_ == LifeState::joining || life_ == LifeState::active || life_ == LifeState::presuspended;
    if (ended_ || !member) return;
    say(LogLevel::notice, "the kernel uses another instance of it: this one leaves", effects);
    if (valid_) {
        aside_ = true;
        start_leaving(now, effects);
    } else {
        // It may be the one after all, so what is known of its kernel stays: a request that is new will show it. Those
        // that wait must not: two instances with such would supersede each other for ever.
        LeftBehind left = left_behind();
        reset_membership();
        aside_ = true;
        for (const KernelRequest& request : std::exchange(resume_requests_, {}))
            reply(request, {}, effects);
        effects.emplace_back(LeaveEffect{std::move(left)});
        life_ = LifeState::suspended;
    }
    after_event(now, effects);
}

void MirrorLogCore::start_leaving(Instant now, Effects& effects) {
    life_ = LifeState::leaving;
    answer_no_work(effects);
    if (valid_) {
        cool(warm_.take_all());
        leave_legacy(effects);
        outbox_.add({OpKind::postsuspend, 0, 1});
        outbox_.send(effects, now);
        leave_due_ = now + config_.settings.leave_wait;
    } else {
        leave_due_ = now;
    }
}

// The group is left when the last word was delivered and, on the server, is on the log device.
void MirrorLogCore::continue_leaving(Instant now, Effects& effects) {
    if (life_ != LifeState::leaving) return;
    const bool overdue = leave_due_ && now >= *leave_due_;
    const bool said = valid_ && !outbox_.has_unsent() && !outbox_.has_undelivered() && !writer_.busy();
    const bool writes = valid_ && writes_device() && quorate() && device_error_ == 0;
    if (!overdue && !(said && (!writes || (merged_ && writer_.settled())))) return;
    finish_leaving(effects);
    for (const KernelRequest& request : std::exchange(leave_requests_, {}))
        reply(request, {}, effects);
    enter(LifeState::suspended, now, effects);
}

void MirrorLogCore::finish_leaving(Effects& effects) {
    LeftBehind left = left_behind();
    if (has_state()) {
        const bool alone = valid_ && group_.size() == 1 && view_ && view_->nodes.size() <= 1;
        const bool last = state_->confirmer_of(self_) == nullptr;
        state_kept_ = alone ? StateKept::whole : last ? StateKept::others : StateKept::nothing;
        before_.reset();
        if (view_) kept_ring_ = view_->ring;
    } else if (!knows_the_latest()) {
        state_kept_ = StateKept::nothing;
        before_.reset();
    }
    leave_due_.reset();
    reset_membership();
    drained();
    for (const KernelRequest& request : std::exchange(resume_requests_, {}))
        reply(request, {}, effects);
    for (const WaitingFlush& flush : std::exchange(flushes_, {}))
        reply(flush.request, {}, effects);
    effects.emplace_back(LeaveEffect{std::move(left)});
}

/// The kernel writes nothing of this instance any more.
void MirrorLogCore::drained() {
    resumed_before_ = true;
    may_be_presuspended_ = false;
    // Another instance proves no suspend of this one.
    if (!aside_) marks_unknown_ = false;
    drained_ = true;
    aside_ = false;
    past_presuspend_ = false;
    recovery_.stop();
    kept_.reset();
    for (const RegionNumber region : warm_.take_all())
        my_marks_.erase(region);
    left_marked_.insert(my_marks_.begin(), my_marks_.end());
    my_marks_.clear();
    keeper_.cleared_all();
    for (const RegionNumber region : left_marked_)
        keeper_.marked(region);
    failures_.clear();
}

/// Kernels without their daemons may still write what they had marked: a table that is loaded again makes another
/// instance, which starts the log if their daemons are gone by then.
LeftBehind MirrorLogCore::left_behind() const {
    const std::optional<LogState>& known = before_ ? before_ : state_;
    if (!knows_the_latest() || !known || !known->knows_others(owner())) return {};
    return {known->save(), has_state() ? known->confirmer_of(self_) == nullptr : state_kept_ != StateKept::marks};
}

/// Not if others may be there that have a state: they know more.
bool MirrorLogCore::knows_the_latest() const {
    if (has_state()) return true;
    return state_kept_ != StateKept::nothing && !applying_ && older_.empty();
}

void MirrorLogCore::inherit(const LeftBehind& left_behind) {
    if (ended_ || life_ != LifeState::joining || in_group_ || state_kept_ != StateKept::nothing) return;
    before_ = LogState::from_saved(left_behind.state);
    if (!before_) return;
    state_kept_ = left_behind.last ? StateKept::others : StateKept::marks;
    had_quorum_ = had_quorum_ || left_behind.last;
}

void MirrorLogCore::destroy(const KernelRequest& request, Instant now, Effects& effects) {
    const bool member = life_ == LifeState::joining || life_ == LifeState::active || life_ == LifeState::presuspended ||
                        life_ == LifeState::leaving;
    if (member) {
        if (valid_) {
            cool(warm_.take_all());
            leave_legacy(effects);
            outbox_.send(effects, now);
        }
        finish_leaving(effects);
    }
    answer_no_work(effects);
    life_ = LifeState::suspended;
    for (const KernelRequest& waiting : std::exchange(waiting_, {}))
        answer_idle(waiting, effects);
    for (const KernelRequest& waiting : std::exchange(leave_requests_, {}))
        reply(waiting, {}, effects);
    reply(request, {}, effects);
    ended_ = true;
    effects.emplace_back(EndEffect{true});
}

void MirrorLogCore::abandon(Instant, Effects& effects) {
    if (ended_) return;
    ended_ = true;
    if (in_group_ || life_ == LifeState::joining) effects.emplace_back(LeaveEffect{left_behind()});
    effects.emplace_back(EndEffect{});
}

}  // namespace cmirror::mirror_log
