// Events and timers: which request means what, what follows from any event. The life itself is in mirror_log_life.cpp.
#include "actors/mirror_log/mirror_log_core.hpp"

#include <algorithm>
#include <cerrno>

#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

namespace {

/// Requests kept until the state changes; a kernel has a handful of tasks, and gives up a request after 15 s.
constexpr std::size_t waiting_max = 256;

}  // namespace

MirrorLogCore::MirrorLogCore(const LogConfig& config)
    : config_(config),
      random_state_(config.seed),
      hint_(1),
      warm_(config.settings.warm_marks_max, config.settings.warm_idle),
      sequential_(std::min(config.settings.marks_ahead_max, config.settings.warm_marks_max / 8)) {}

std::uint64_t MirrorLogCore::random() {
    random_state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t x = random_state_;
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return (x ^ (x >> 31U)) | 1U;
}

void MirrorLogCore::reply(const KernelRequest& request, ReplyPayload payload, Effects& effects) {
    effects.emplace_back(KernelReply{request.seq, request.type, request.luid, 0, std::move(payload)});
}

void MirrorLogCore::refuse(const KernelRequest& request, int error, Effects& effects) {
    CMIRROR_INVARIANT(error > 0);
    effects.emplace_back(KernelReply{request.seq, request.type, request.luid, -error, {}});
}

void MirrorLogCore::say(LogLevel level, const std::string& text, Effects& effects, LogEvent event) const {
    effects.emplace_back(LineEffect{level, "log " + std::string(config_.uuid.text()) + ": " + text, event});
}

// A question that changes nothing, so nothing follows from it: the most frequent one asks for nothing but its answer.
bool MirrorLogCore::depends_on_time(RequestType type) {
    return type != RequestType::in_sync && type != RequestType::is_clean;
}

void MirrorLogCore::request(const KernelRequest& request, Instant now, Effects& effects) {
    if (ended_) return;
    // One that the socket has given twice: the second would be taken for a resume without a suspend.
    if (request.type == RequestType::resume && std::exchange(resume_seq_, request.seq) == request.seq) return;
    ++requests_;
    if (request.type == RequestType::ctr && !constructed_)
        construct(request, effects);
    else
        perform(request, now, effects);
    if (depends_on_time(request.type)) after_event(now, effects);
}

void MirrorLogCore::perform(const KernelRequest& request, Instant now, Effects& effects) {
    notice_use(request, now, effects);
    switch (action_for(life_, request.type)) {
        case Action::wait:
            if (request.type == RequestType::resume && life_ == LifeState::joining && reconnect_resumes_) {
                reconnect_resumes_ = false;
                return reply(request, {}, effects);
            }
            if (waiting_.size() == waiting_max) waiting_.erase(waiting_.begin());
            waiting_.push_back(request);
            return;
        case Action::answer:
            if (request.type == RequestType::resume) reconnect_resumes_ = false;
            return answer_idle(request, effects);
        case Action::serve:
            return serve(request, now, effects);
        case Action::construct:
            if (std::get<ConstructorText>(request.payload).reconnect) {
                reconnect_resumes_ = resume_unanswered_ = true;
                // What the kernel could not send may have been a PRESUSPEND, which it does not repeat.
                may_be_presuspended_ = true;
                recovering_told_ = 0;
            }
            return answer_construct(request, effects);
        case Action::join:
        case Action::resume_again:
            return resume(request, now, effects);
        case Action::stop_recovery:
            return stop_recovery(request, now, effects);
        case Action::leave:
            leave_requests_.push_back(request);
            return start_leaving(now, effects);
        case Action::destroy:
            return destroy(request, now, effects);
        case Action::reconnect:
            return refuse(request, ESRCH, effects);
    }
}

void MirrorLogCore::enter(LifeState next, Instant now, Effects& effects) {
    life_ = next;
    std::vector<KernelRequest> waiting;
    waiting.swap(waiting_);
    for (const KernelRequest& request : waiting) {
        if (ended_) return;
        perform(request, now, effects);
    }
}

void MirrorLogCore::construct(const KernelRequest& request, Effects& effects) {
    const auto& text = std::get<ConstructorText>(request.payload);
    const auto parsed = parse_constructor_arguments(text.text);
    if (!parsed) {
        ++bad_requests_;
        say(LogLevel::error, "cannot create it from \"" + text.text + "\": " + std::string(describe(parsed.error())),
            effects);
        refuse(request, EINVAL, effects);
        ended_ = true;
        effects.emplace_back(EndEffect{});
        return;
    }
    constructed_ = true;
    args_ = *parsed;
    reconnected_ = text.reconnect;
    reconnect_resumes_ = resume_unanswered_ = text.reconnect;
    hint_ = HintTracker(args_.region_count);
    take_kept(effects);
    if (args_.disk_log) {
        device_status_.name = args_.device;
        waiting_.push_back(request);
        effects.emplace_back(OpenEffect{args_.device});
        return;
    }
    life_ = LifeState::pending;
    answer_construct(request, effects);
}

// spec/kernel.md: a first CTR of a disk log is told the device's name; a reconnect CTR has no room for it.
void MirrorLogCore::answer_construct(const KernelRequest& request, Effects& effects) const {
    const auto& text = std::get<ConstructorText>(request.payload);
    if (args_.disk_log && request.version > 1 && !text.reconnect)
        reply(request, args_.device + '\0', effects);
    else
        reply(request, {}, effects);
}

void MirrorLogCore::device_opened(const Result<std::uint64_t, DeviceError>& size_bytes, Instant now, Effects& effects) {
    if (ended_ || life_ != LifeState::opening) return;
    if (!size_bytes) {
        say(LogLevel::error, "cannot open its log device " + args_.device + ": " + size_bytes.error().text, effects,
            LogEvent::device_failed);
        for (const KernelRequest& request : std::exchange(waiting_, {})) {
            if (request.type == RequestType::ctr)
                refuse(request, size_bytes.error().code > 0 ? size_bytes.error().code : EIO, effects);
            else if (action_for(LifeState::pending, request.type) == Action::reconnect)
                refuse(request, ESRCH, effects);
            else
                // A RESUME that fails would fail the request which waits behind it in the kernel.
                answer_idle(request, effects);
        }
        ended_ = true;
        effects.emplace_back(EndEffect{});
        return;
    }
    device_size_ = *size_bytes;
    enter(LifeState::pending, now, effects);
    after_event(now, effects);
}

void MirrorLogCore::timer(Instant now, Effects& effects) {
    if (ended_) return;
    hold_writes_if_late(now);
    scheduled_.reset();
    // A Hello that was lost comes before a Valid, which means nothing without it.
    if (control_.has_undelivered() && now >= control_.resend_due()) control_.send_again(now, effects);
    start_beside_legacy(now, effects);
    if (awaiting_device_ && now >= device_doubt_until_) found(now, effects);
    if (sender_ && now - sender_heard_ >= ControlOutbox::resend_after) send_state_again(now, effects);
    if (valid_) {
        if (life_ == LifeState::active) cool(warm_.take_idle(now, 256));
        if (outbox_.has_undelivered() && now >= outbox_.resend_due()) outbox_.send_again(effects, now);
        if (grant_idle_since_ && now - *grant_idle_since_ >= config_.settings.grant_idle) give_back_all(now, effects);
        if (digest_due_ && now >= *digest_due_) {
            digest_due_.reset();
            if (state_->members().size() > 1) effects.emplace_back(SendEffect{StateDigest{}});
        }
    }
    const bool overdue = std::any_of(work_.begin(), work_.end(), [now](const auto& w) { return now >= w.deadline; });
    if (overdue) {
        answer_no_work(effects);
        if (valid_ && asked_) give_back_all(now, effects);
    }
    after_event(now, effects);
}

/// What follows from any event.
void MirrorLogCore::after_event(Instant now, Effects& effects) {
    if (ended_) return;
    settle_quorum(now, effects);
    if (valid_) {
        serve_joiners(now, effects);
        watch_fencing(now, effects);
        end_doubts(now, effects);
        legacy_server_changed(effects);
        update_durability(now, effects);
        answer_waiting_work(now, effects);
        if (!outbox_.has_unsent()) {
            lazy_send_due_.reset();
        } else if (!lazy_send_due_) {
            lazy_send_due_ = now + config_.settings.lazy_send;
        } else if (now >= *lazy_send_due_) {
            outbox_.send(effects, now);
            lazy_send_due_.reset();
        }
        attend_legacy(now, effects);
        if (!digest_due_ && state_->ordinal() > digest_sent_at_ + 1 && state_->members().size() > 1)
            digest_due_ = now + config_.settings.digest_every;
    }
    silence_.note(awaited(), now);
    if (const auto line = silence_.tell(now)) say(LogLevel::warning, *line, effects);
    continue_leaving(now, effects);
    control_.note(effects, now);
    keep(effects);
    wake(now, effects);
}

void MirrorLogCore::wake(Instant now, Effects& effects) {
    if (ended_) return;
    std::optional<Instant> next;
    const auto consider = [&next](std::optional<Instant> due) {
        if (due && (!next || *due < *next)) next = due;
    };
    if (valid_) {
        if (life_ == LifeState::active) consider(warm_.next_idle());
        if (outbox_.has_undelivered()) consider(outbox_.resend_due());
        if (grant_idle_since_) consider(*grant_idle_since_ + config_.settings.grant_idle);
        consider(lazy_send_due_);
        consider(lazy_write_due_);
        consider(confirm_again_due_);
        if (write_again_due_)
            consider(write_again_due_);
        else if (merged_)
            consider(device_rewrite_due_);
        if (now < device_doubt_until_ && (takes_over_ || state_->hands_device_over())) consider(device_doubt_until_);
        consider(digest_due_);
        consider(doubted_since_.next_due(config_.settings.back_within));
    }
    if (control_.has_undelivered()) consider(control_.resend_due());
    if (sender_) consider(sender_heard_ + ControlOutbox::resend_after);
    for (const WaitingWork& work : work_)
        consider(work.deadline);
    if (awaiting_device_) consider(device_doubt_until_);
    consider(leave_due_);
    consider(silence_.due());
    consider(legacy_.due);
    // Only what is done then: what waits for something else would be due again at once.
    if (regained_at_ && !merging_) consider(*regained_at_ + config_.settings.quorum_settle);
    for (const auto& [node, since] : nodes_lost_)
        consider(since + config_.settings.view_doubt);
    if (quorate()) consider(ring_lost_.next_due(config_.settings.fenced_after));
    if (!next || (scheduled_ && *scheduled_ <= *next)) return;
    scheduled_ = std::max(*next, now);
    effects.emplace_back(WakeEffect{*scheduled_});
}

}  // namespace cmirror::mirror_log
