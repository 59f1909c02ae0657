// What a member that has become valid says of its kernel (design.md, rules 5 and 10).
#include "actors/mirror_log/mirror_log_core.hpp"

namespace cmirror::mirror_log {

/// From here on this member counts.
void MirrorLogCore::became_valid(bool known, Instant now, Effects& effects) {
    valid_ = true;
    founding_ = false;
    state_kept_ = StateKept::nothing;
    before_.reset();
    last_server_ = {};
    handed_whole_.reset();
    // What came with the state may still wait for its confirmation, by whoever confirmed until now.
    for (const Member& member : state_->members())
        if (member.valid && member.id != self_) to_confirm_[member.id] = member.next_seq;
    hint_.interrupted(now);
    say_again(known, now, effects);
    say(LogLevel::notice, "joined, with " + std::to_string(state_->members().size()) + " member(s)", effects,
        LogEvent::log_joined);
    // What the kernel has cached as not in sync is known to others before it writes again.
    for (const KernelRequest& request : std::exchange(resume_requests_, {})) {
        if (failures_.empty())
            reply(request, {}, effects);
        else
            await_confirmation(request);
    }
    if (std::exchange(kept_, std::nullopt)) keeper_.begin_anew();
    if (past_presuspend_) outbox_.add({OpKind::presuspend, 0, 1});
    enter(past_presuspend_ ? LifeState::presuspended : LifeState::active, now, effects);
    outbox_.send(effects, now);
}

/// What this kernel has marked and reported belongs to the state that was joined, whatever that knew of it. `known`: it
/// is the state that this instance was part of before, or started itself; else others may have recovered meanwhile what
/// this kernel wrote.
void MirrorLogCore::say_again(bool known, Instant now, Effects& effects) {
    // Kernels of a side that gave way may have marked what they knew to be in sync.
    for (const Op& op : std::exchange(reached_before_, {}))
        outbox_.add(op);
    // Regions that the kernel has cached as not in sync (spec/kernel.md): it said so, or their marks outlasted its
    // suspend, whoever recovered them meanwhile. A state that started anew knows nothing of it.
    nosync_.merge(std::exchange(left_marked_, {}));
    failures_.clear();
    for (const RegionNumber region : nosync_) {
        if (recovery_.current() == region || state_->grants().granted_to(region) == owner()) continue;
        failures_[outbox_.next_seq()] = region;
        need_ = outbox_.add({OpKind::failed, region, 1}) + 1;
    }
    if (!marks_unknown_) {
        const std::set<RegionNumber> theirs = state_->marks().of(owner());
        for (const RegionNumber region : theirs)
            if (!my_marks_.contains(region)) outbox_.add({OpKind::clear, region, 1});
    } else {
        need_ = outbox_.add({OpKind::marked_unknown, known ? 0U : 1U, 1}) + 1;
    }
    warm_.forget_needs();
    for (const RegionNumber region : my_marks_)
        need_ = outbox_.add({known ? OpKind::mark : OpKind::written, region, 1}) + 1;
    // The state was started by others that did not know what this kernel had marked since.
    if (!marks_unknown_ && state_->marks().has_everything(owner()))
        outbox_.add({OpKind::marked_unknown, 0, marks_said});
    // Whatever the state says: the copy is under way.
    if (const auto copying = recovery_.current())
        if (state_->grants().granted_to(*copying) != owner()) outbox_.add({OpKind::copying, *copying, 1});
    for (WaitingFlush& flush : flushes_)
        flush.need = need_;
    outbox_.send(effects, now);
}

}  // namespace cmirror::mirror_log
