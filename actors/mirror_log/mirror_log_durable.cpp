// FLUSH: who confirms what (design.md, rule 1).
#include <algorithm>
#include <cerrno>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t flushes_max = 256;
constexpr Instant confirm_again_after = 1s;

/// Does the originator wait for this op to be confirmed?
bool waits_for_confirmation(OpKind kind) {
    switch (kind) {
        case OpKind::mark:
        case OpKind::failed:
        case OpKind::want_work:
        case OpKind::marked_unknown:
        case OpKind::written:
        case OpKind::not_clean:
        case OpKind::confirm:
            return true;
        default:
            return false;
    }
}

}  // namespace

void MirrorLogCore::note_durable_ops(MemberId origin, const Ops& ops) {
    for (std::size_t i = ops.ops.size(); i > 0; --i) {
        if (!waits_for_confirmation(ops.ops[i - 1].kind)) continue;
        std::uint64_t& wanted = to_confirm_[origin];
        wanted = std::max(wanted, ops.first_seq + i);
        return;
    }
}

/// Of every valid member: its ops that are applied here.
Progress MirrorLogCore::progress() const {
    Progress all;
    for (const Member& member : state_->members())
        if (member.valid || member.legacy) all[member.id] = state_->applied_through(member);
    return all;
}

/// Called after every event: what can be written, confirmed and answered now.
void MirrorLogCore::update_durability(Instant now, Effects& effects) {
    std::set<std::uint64_t> changed = state_->take_changed_blocks();
    const bool writes = writes_device();
    if (!writes) {
        writer_.forget();
        lazy_write_due_.reset();
        device_rewrite_due_.reset();
        write_again_due_.reset();
    } else {
        writer_.changed(changed);
        take_device_over(now, effects);
        if (writer_.settled() && merged_) durable_ = progress();
        start_write(now, effects);
    }
    hand_device_over(now, effects);
    send_confirmations(effects);
    update_confirmed();
    answer_flushes(effects);
    confirm_again(now, effects);
}

/// The device's write failed: the FLUSHes that wait for it carry the error, here and at their originators.
void MirrorLogCore::fail_flushes(int error, Effects& effects) {
    Confirm confirm;
    for (auto& [member, wanted] : to_confirm_) {
        const std::uint64_t through = value_of(durable_, member);
        const Member* origin = state_->member(member);
        if (origin == nullptr || through >= wanted) continue;
        if (member != self_ && !origin->legacy)
            confirm.confirmations.push_back({member, origin->token, through, -error});
        // The next FLUSH tries again.
        wanted = through;
    }
    if (!confirm.confirmations.empty()) effects.emplace_back(SendEffect{std::move(confirm)});
    refuse_flushes(error, effects);
}

void MirrorLogCore::refuse_flushes(int error, Effects& effects) {
    flush_failed_ = true;
    for (WaitingFlush& flush : std::exchange(flushes_, {})) {
        // A RESUME that fails would fail the request which waits behind it in the kernel.
        if (flush.request.type == RequestType::resume)
            flushes_.push_back(std::move(flush));
        else
            refuse_flush(flush.request, error, effects);
    }
    fail_legacy_flushes(error, effects);
}

// From then on, and until another table is loaded, the kernel reports no leg's failed write and clears the region when
// the write is given back to be made again (dm-raid1's log_failure).
void MirrorLogCore::refuse_flush(const KernelRequest& request, int error, Effects& effects) {
    if (request.type == RequestType::flush && !std::exchange(log_failed_, true))
        say(LogLevel::warning, "a FLUSH failed: load its table again when the cause is mended", effects);
    refuse(request, error, effects);
}

/// A request waits for the confirmation of `need_`. The kernel has a handful of tasks that wait; one that repeats its
/// request after 15 s forgets the earlier.
void MirrorLogCore::await_confirmation(const KernelRequest& request) {
    if (flushes_.size() == flushes_max) flushes_.erase(flushes_.begin());
    flushes_.push_back({request, need_, legacy_.flush_sent});
}

/// Whoever confirms is asked to try again.
void MirrorLogCore::ask_for_confirmation() {
    need_ = outbox_.add({OpKind::confirm, 0, 1}) + 1;
    flush_failed_ = false;
    confirm_again_due_.reset();
}

/// What waits behind a failure, and is not refused for it, is tried again by itself.
void MirrorLogCore::confirm_again(Instant now, Effects& effects) {
    if (!flush_failed_ || flushes_.empty()) return confirm_again_due_.reset();
    if (!confirm_again_due_) confirm_again_due_ = now + confirm_again_after;
    if (now < *confirm_again_due_) return;
    ask_for_confirmation();
    for (WaitingFlush& flush : flushes_)
        flush.need = need_;
    outbox_.send(effects, now);
}

/// Tells originators that count on this member how far their ops are applied, and on the device.
void MirrorLogCore::send_confirmations(Effects& effects) {
    if (!quorate()) return;
    Confirm confirm;
    for (const auto& [member, wanted] : to_confirm_) {
        if (member == self_) continue;
        const Member* origin = state_->member(member);
        const Member* confirmer = state_->confirmer_of(member);
        if (origin == nullptr || origin->legacy || confirmer == nullptr || confirmer->id != self_) continue;
        std::uint64_t& sent = sent_confirm_[member];
        if (sent >= wanted) continue;
        std::uint64_t through = state_->applied_through(*origin);
        if (writes_device()) through = std::min(through, value_of(durable_, member));
        if (through <= sent) continue;
        sent = through;
        confirm.confirmations.push_back({member, origin->token, through, 0});
    }
    if (!confirm.confirmations.empty()) effects.emplace_back(SendEffect{std::move(confirm)});
}

void MirrorLogCore::take_confirm(MemberId sender, const Confirm& confirm, Effects& effects) {
    const Member* confirmer = state_->confirmer_of(self_);
    for (const Confirmation& c : confirm.confirmations) {
        if (c.origin != self_ || c.token != token_) continue;
        if (confirmer == nullptr || confirmer->id != sender || c.next_seq > outbox_.next_seq()) continue;
        confirmed_by_other_ = std::max(confirmed_by_other_, c.next_seq);
        if (!is_server()) device_error_ = -c.error;
        if (c.error != 0) refuse_flushes(-c.error, effects);
    }
}

/// Own ops below confirmed_ would survive the loss of any one node.
void MirrorLogCore::update_confirmed() {
    if (!quorate()) return;
    const Member* self = state_->member(self_);
    CMIRROR_INVARIANT(self != nullptr);
    std::uint64_t through = state_->applied_through(*self);
    if (state_->confirmer_of(self_) != nullptr) through = std::min(through, confirmed_by_other_);
    if (writes_device()) through = std::min(through, value_of(durable_, self_));
    confirmed_ = std::max(confirmed_, through);
    failures_.erase(failures_.begin(), failures_.lower_bound(confirmed_));
}

void MirrorLogCore::answer_flushes(Effects& effects) {
    std::vector<WaitingFlush> waiting;
    waiting.swap(flushes_);
    for (const WaitingFlush& flush : waiting) {
        if (flush.need <= confirmed_ && legacy_flushed(flush.legacy_need))
            reply(flush.request, {}, effects);
        else
            flushes_.push_back(flush);
    }
}

}  // namespace cmirror::mirror_log
