// The state file: what is kept for a successor, and what an earlier daemon left (design.md, rule 10).
#include <algorithm>
#include <bit>

#include "actors/mirror_log/mirror_log_core.hpp"

namespace cmirror::mirror_log {

KeptIdentity MirrorLogCore::kept_identity() const {
    return {config_.uuid, config_.luid, config_.boot, args_.region_size_sectors, args_.region_count};
}

/// The kernel created the log again: what an earlier daemon kept of it tells what the kernel has marked.
void MirrorLogCore::take_kept(Effects& effects) {
    auto kept = std::exchange(config_.kept, std::nullopt);
    // A PRESUSPEND that came while no daemon was there is lost.
    may_be_presuspended_ = reconnected_;
    const bool usable = reconnected_ && kept && kept->identity == kept_identity() && !kept->standing.reconnecting &&
                        !kept->standing.marks_unknown;
    marks_unknown_ = reconnected_ && !usable;
    if (!usable) {
        if (reconnected_)
            say(LogLevel::warning,
                "was created again by its kernel and has no state file that tells its marks: every region counts as "
                "marked until the mirror "
                "is suspended",
                effects);
        if (marks_unknown_) recovery_.take_over_unknown();
        keeper_.begin(kept_identity());
        return;
    }
    kept_ = std::move(kept);
    drained_ = kept_->standing.drained;
    std::set<RegionNumber>& marks = drained_ ? left_marked_ : my_marks_;
    for (std::uint64_t word = 0; word < kept_->live.size(); ++word)
        for (std::uint64_t bits = kept_->live[word]; bits != 0; bits &= bits - 1)
            marks.insert(word * 64 + static_cast<unsigned>(std::countr_zero(bits)));
    past_presuspend_ = kept_->standing.presuspended;
    log_failed_ = kept_->standing.log_failed;
    if (kept_->standing.copying) recovery_.take_over(*kept_->standing.copying);
    keeper_.begin(kept_identity(), kept_->live);
    say(LogLevel::notice,
        "was created again by its kernel, with " + std::to_string(marks.size()) + " marks from its state file",
        effects);
}

/// Nobody can have changed anything since the file was written.
bool MirrorLogCore::kept_is_everything() const {
    return kept_ && kept_->standing.ring != 0 && found_alone_ && view_ && view_->nodes.size() <= 1 &&
           view_->ring == kept_->standing.ring;
}

/// The ring in which this node alone has the state and all marks in it; 0 if others may know more. A region whose leg
/// failed is not in the file, nor are the marks of nodes that are absent.
std::uint64_t MirrorLogCore::alone_in_ring() const {
    const bool alone = valid_ && group_.size() == 1 && view_ && view_->nodes.size() <= 1 && !state_->has_failures();
    if (!alone || !state_->marks().only_of(owner())) return 0;
    return view_->ring;
}

/// To be called at the end of every event, so that what it acknowledges comes behind what it keeps.
void MirrorLogCore::keep(Effects& effects) {
    const auto answers_resume = [](const Effect& effect) {
        const auto* answer = std::get_if<KernelReply>(&effect);
        return answer != nullptr && answer->type == RequestType::resume;
    };
    if (resume_unanswered_ && std::any_of(effects.begin(), effects.end(), answers_resume)) resume_unanswered_ = false;
    const std::set<std::uint64_t> changed = state_ ? state_->take_changed_lines() : std::set<std::uint64_t>{};
    if (!keeper_.begun() || life_ == LifeState::opening) return;
    const bool drained = drained_ && my_marks_.empty();
    // What was kept is still all there is until the group has taken it in.
    if (kept_ && !valid_) {
        kept_->standing.reconnecting = resume_unanswered_;
        kept_->standing.log_failed = log_failed_;
        kept_->standing.drained = drained;
        auto effect = keeper_.take(kept_->standing, {}, kept_->in_sync, kept_->reached);
        if (effect) effects.insert(effects.begin(), std::move(*effect));
        return;
    }
    if (life_ == LifeState::pending) return;
    const KeptStanding standing{past_presuspend_,    resume_unanswered_, marks_unknown_, log_failed_,
                                recovery_.current(), alone_in_ring(),    drained};
    const bool alone = standing.ring != 0;
    auto effect = keeper_.take(standing, changed, alone ? state_->sync().raw() : std::span<const std::uint64_t>{},
                               alone ? state_->reached().raw() : std::span<const std::uint64_t>{});
    if (effect) effects.insert(effects.begin(), std::move(*effect));
}

}  // namespace cmirror::mirror_log
