// Regions handed to the kernel for recovery: runs, waiting for them, giving them back (design.md, "Runs").
#include <algorithm>

#include "actors/mirror_log/mirror_log_core.hpp"

namespace cmirror::mirror_log {

void MirrorLogCore::serve_work(const KernelRequest& request, Instant now, Effects& effects) {
    hint_.proved_at_most(args_.region_count - 1, now);
    recovering_told_ = 0;
    if (hand_out(request, now, effects)) return;
    if (state_->sync().all() || !quorate()) return reply(request, FlagAndRegion{0, 0}, effects);
    ask_for_work(now, effects);
    work_.push_back({request, now + config_.settings.work_wait});
}

/// Answers with a region of a grant that others know of. False if there is none.
bool MirrorLogCore::hand_out(const KernelRequest& request, Instant now, Effects& effects) {
    if (confirmed_ < work_need_ || !quorate()) return false;
    const std::optional<RegionNumber> region = recovery_.next(state_->grants(), owner(), now);
    if (!region) return false;
    grant_idle_since_.reset();
    reply(request, FlagAndRegion{1, *region}, effects);
    // The next run is asked for while this one is recovered.
    if (recovery_.left(state_->grants(), owner()) <= recovery_.run_length() / 2) ask_for_work(now, effects);
    return true;
}

void MirrorLogCore::ask_for_work(Instant now, Effects& effects) {
    if (asked_ || state_->sync().all() || mixed()) return;
    asked_ = true;
    outbox_.add({OpKind::want_work, 0, recovery_.run_length()});
    ++rounds_;
    outbox_.send(effects, now);
}

void MirrorLogCore::answer_waiting_work(Instant now, Effects& effects) {
    if (work_.empty()) return;
    std::vector<WaitingWork> waiting;
    waiting.swap(work_);
    for (const WaitingWork& work : waiting)
        if (!hand_out(work.request, now, effects)) work_.push_back(work);
}

void MirrorLogCore::answer_no_work(Effects& effects) {
    for (const WaitingWork& work : std::exchange(work_, {}))
        reply(work.request, FlagAndRegion{0, 0}, effects);
}

void MirrorLogCore::give_back(RegionNumber region, Instant now, Effects& effects) {
    if (!recovery_.give_back(state_->grants(), owner(), region, outbox_.next_seq())) return;
    outbox_.add({OpKind::release, region, 1});
    outbox_.send(effects, now);
}

/// All that the kernel has not started, and the wish for more.
void MirrorLogCore::give_back_all(Instant now, Effects& effects) {
    grant_idle_since_.reset();
    asked_ = false;
    const std::map<RegionNumber, Run> runs = state_->grants().runs();
    std::vector<Op> ops;
    for (const auto& [first, run] : runs) {
        if (run.owner != owner()) continue;
        for (RegionNumber region = first; region < run.end(); ++region)
            if (recovery_.give_back(state_->grants(), owner(), region, outbox_.next_seq() + ops.size()))
                ops.push_back({OpKind::release, region, 1});
    }
    ops.push_back({OpKind::withdraw, 0, 1});
    for (const Op& op : ops)
        outbox_.add(op);
    outbox_.send(effects, now);
}

/// What the last events changed that this node has to react to.
/// `own_end`: the event was a message of our own ops, this is the number behind them.
void MirrorLogCore::react(StateChanges& changes, std::optional<std::uint64_t> own_end, Instant now, Effects& effects) {
    if (const Member* self = state_->member(self_)) recovery_.heard(self->next_seq);
    for (const Run& run : changes.granted) {
        if (run.owner != owner()) continue;
        asked_ = false;
        legacy_.work_asked = false;
        if (life_ != LifeState::active) continue;
        // The grant counts once another member knows of it. Where another's message brought it, only a confirmation of
        // something that we send now tells.
        if (own_end) {
            work_need_ = *own_end;
        } else {
            work_need_ = outbox_.add({OpKind::confirm, 0, 1}) + 1;
            outbox_.send(effects, now);
        }
        if (work_.empty() && !recovery_.current()) grant_idle_since_ = now;
    }
    for (const Owner who : changes.nothing_to_do) {
        if (who != owner()) continue;
        asked_ = false;
        if (work_waits_for_legacy()) continue;
        if (recovery_.left(state_->grants(), owner()) == 0 && !recovery_.current()) answer_no_work(effects);
    }
    for (const RegionNumber region : changes.preferred)
        recovery_.prefer(region);
    for (const RegionNumber region : changes.waited_for) {
        // A kernel that waits for just this one has it as good as started.
        const bool due = !work_.empty() && recovery_.upcoming(state_->grants(), owner()) == region;
        if (!due) give_back(region, now, effects);
    }
    if (changes.legacy_came) {
        say(LogLevel::notice,
            "a legacy member is there: one region is recovered at a time, and clears are not held back", effects);
        cool(warm_.take_all());
        give_back_all(now, effects);
    }
    if (changes.legacy_gone) {
        say(LogLevel::notice, "the last legacy member is gone", effects);
        legacy_.work_asked = false;
        if (!work_.empty() && quorate()) ask_for_work(now, effects);
    }
    std::vector<RegionNumber> cold;
    for (const RegionNumber region : changes.wanted)
        if (warm_.contains(region)) cold.push_back(region);
    cool(cold);
    if (!cold.empty()) outbox_.send(effects, now);
    for (const Owner who : changes.writers_lost)
        say(LogLevel::warning,
            "node " + std::to_string(who.node) +
                " is gone with regions marked: they are out of sync; suspend and resume "
                "the mirror on one node to have them recovered",
            effects);
    for (const Owner who : changes.left_marked)
        say(LogLevel::notice,
            "node " + std::to_string(who.node) +
                " left with regions that its kernel had not cleared: they are out of sync",
            effects);
    changes.clear();
}

}  // namespace cmirror::mirror_log
