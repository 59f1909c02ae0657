// What the kernel is answered while the log is active (design.md, "The replicated log").
#include <algorithm>
#include <cerrno>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

namespace {

/// A kernel asks 4 times a second.
constexpr std::uint32_t recovering_told_max = 20;

RegionNumber region_of(const KernelRequest& request) {
    return std::get<RegionNumber>(request.payload);
}

}  // namespace

bool MirrorLogCore::regions_in_range(const KernelRequest& request) const {
    const auto inside = [this](RegionNumber region) { return region < args_.region_count; };
    if (const auto* region = std::get_if<RegionNumber>(&request.payload)) return inside(*region);
    if (const auto* list = std::get_if<RegionList>(&request.payload))
        return std::all_of(list->begin(), list->end(), inside);
    if (const auto* sync = std::get_if<RegionSync>(&request.payload)) return inside(sync->region);
    return true;
}

void MirrorLogCore::serve(const KernelRequest& request, Instant now, Effects& effects) {
    CMIRROR_INVARIANT(valid_ && state_);
    if (!regions_in_range(request)) {
        ++bad_requests_;
        return refuse(request, EINVAL, effects);
    }
    switch (request.type) {
        case RequestType::in_sync:
            return serve_in_sync(request, effects);
        case RequestType::is_clean:
            return reply(request, std::uint64_t{state_->clean().test(region_of(request))}, effects);
        case RequestType::is_remote_recovering:
            return serve_remote_recovering(request, now, effects);
        case RequestType::get_sync_count:
            return serve_sync_count(request, now, effects);
        case RequestType::mark_region:
            for (const RegionNumber region : std::get<RegionList>(request.payload))
                mark(region, now, effects);
            return reply(request, {}, effects);
        case RequestType::clear_region:
            for (const RegionNumber region : std::get<RegionList>(request.payload))
                clear(region, now);
            return reply(request, {}, effects);
        case RequestType::flush:
            return serve_flush(request, now, effects);
        case RequestType::set_region_sync:
            return serve_set_sync(request, now, effects);
        case RequestType::get_resync_work:
            return serve_work(request, now, effects);
        default:
            CMIRROR_NEVER("the life cycle table serves no other request");
    }
}

// 0 sends a write to the primary leg alone and unmarked: only where the kernel holds its writes back (rule 4).
void MirrorLogCore::serve_in_sync(const KernelRequest& request, Effects& effects) {
    const RegionNumber region = region_of(request);
    const bool in_sync =
        state_->sync().test(region) || life_ == LifeState::presuspended || hint_.writes_may_pass(region);
    reply(request, std::uint64_t{in_sync}, effects);
}

RegionNumber MirrorLogCore::truthful_hint() const {
    return state_->lowest_out_of_sync();
}

void MirrorLogCore::serve_sync_count(const KernelRequest& request, Instant now, Effects& effects) {
    const std::uint64_t count = state_->sync_count();
    if (count >= args_.region_count) hint_.gave(args_.region_count, now);
    reply(request, count, effects);
}

// 1 makes the kernel hold its writes to the region back. Past PRESUSPEND it must be 0, or the suspend never ends.
void MirrorLogCore::serve_remote_recovering(const KernelRequest& request, Instant now, Effects& effects) {
    const RegionNumber region = region_of(request);
    hint_.proved_at_most(region, now);
    const RegionNumber hint = truthful_hint();
    hint_.gave(hint, now);
    if (life_ == LifeState::presuspended) return reply(request, FlagAndRegion{0, hint}, effects);
    bool recovering = false;
    if (!state_->sync().test(region)) {
        const bool in_hand = state_->wanted(region) || state_->grants().run_of(region) != nullptr;
        recovering = in_hand || !state_->fell_out_later(region);
        if (recovering && mixed()) {
            prioritise_for_legacy(region, effects);
        } else if (recovering && !state_->prioritised(region) && recovery_.current() != region) {
            outbox_.add({OpKind::prioritise, region, 1});
            outbox_.send(effects, now);
        }
    }
    // Past a PRESUSPEND that an earlier daemon did not hand down it must be 0 for good; that is safe at any time, as a
    // MARK waits for the recovery as well (design.md, rule 10).
    if (may_be_presuspended_ && recovering && ++recovering_told_ > recovering_told_max) recovering = false;
    hint_.answered_recovering(region, recovering, now);
    reply(request, FlagAndRegion{recovering, hint}, effects);
}

void MirrorLogCore::mark(RegionNumber region, Instant now, Effects& effects) {
    if (const auto need = warm_.remove(region)) need_ = std::max(need_, *need);
    note_for_legacy(RequestType::mark_region, region);
    keeper_.marked(region);
    if (my_marks_.insert(region).second) need_ = outbox_.add({OpKind::mark, region, 1}) + 1;
    if (const auto run = sequential_.marked(region)) mark_ahead(*run, now, effects);
}

/// What a stream of writes reaches next. No FLUSH waits for these marks before the kernel has made them; those it never
/// makes are given up like other warm ones.
void MirrorLogCore::mark_ahead(const SequentialWrites::Run& run, Instant now, Effects& effects) {
    if (!keeps_warm()) return;
    const RegionNumber end = std::min(run.first + run.count, args_.region_count);
    for (RegionNumber region = run.first; region < end; ++region) {
        if (!may_be_warm(region) || !my_marks_.insert(region).second) continue;
        const std::uint64_t need = outbox_.add({OpKind::mark, region, 1}) + 1;
        ++marked_ahead_;
        if (const auto evicted = warm_.keep(region, now, need)) send_clear(*evicted);
    }
    outbox_.send(effects, now);
}

bool MirrorLogCore::keeps_warm() const {
    return life_ == LifeState::active && quorate() && !mixed();
}

bool MirrorLogCore::may_be_warm(RegionNumber region) const {
    return state_->sync().test(region) && !state_->wanted(region) && state_->grants().run_of(region) == nullptr;
}

void MirrorLogCore::clear(RegionNumber region, Instant now) {
    nosync_.erase(region);
    note_for_legacy(RequestType::clear_region, region);
    keeper_.cleared(region);
    if (!my_marks_.contains(region)) {
        if (state_->clean().test(region)) return;
        outbox_.add({OpKind::clear, region, 1});
        note_for_legacy(RequestType::clear_region, region);
        return;
    }
    if (log_failed_) {
        // A leg's write may have failed without a word.
        outbox_.add({OpKind::written, region, 1});
        note_for_legacy(RequestType::set_region_sync, region);
        return send_clear(region);
    }
    if (!keeps_warm() || !may_be_warm(region)) {
        send_clear(region);
    } else if (const auto evicted = warm_.keep(region, now, need_)) {
        send_clear(*evicted);
    }
}

/// From here on the mark is no longer ours: a later MARK is a new one, ordered behind this.
void MirrorLogCore::send_clear(RegionNumber region) {
    warm_.remove(region);
    my_marks_.erase(region);
    outbox_.add({OpKind::clear, region, 1});
}

void MirrorLogCore::cool(const std::vector<RegionNumber>& regions) {
    for (const RegionNumber region : regions)
        send_clear(region);
}

void MirrorLogCore::serve_flush(const KernelRequest& request, Instant now, Effects& effects) {
    if (const auto* list = std::get_if<RegionList>(&request.payload))
        for (const RegionNumber region : *list)
            mark(region, now, effects);
    say_to_legacy(effects);
    flush_legacy(effects);
    if (need_ <= confirmed_ && legacy_flushed(legacy_.flush_sent)) return reply(request, {}, effects);
    // An earlier FLUSH of the same marks failed: whoever confirms is asked to try again.
    const bool nothing_under_way = !outbox_.has_unsent() && !outbox_.has_undelivered() && flushes_.empty();
    if (nothing_under_way || flush_failed_) ask_for_confirmation();
    if (outbox_.has_unsent()) {
        ++rounds_;
        outbox_.send(effects, now);
    }
    await_confirmation(request);
}

void MirrorLogCore::serve_set_sync(const KernelRequest& request, Instant now, Effects& effects) {
    const auto& [region, in_sync] = std::get<RegionSync>(request.payload);
    const bool current = recovery_.ended(region, now, outbox_.next_seq());
    // Should the kernel ask for no more, the rest of the run is not kept from others.
    if (current && recovery_.left(state_->grants(), owner()) > 0) grant_idle_since_ = now;
    if (in_sync) {
        recovered_here_ += current ? 1U : 0U;
        nosync_.erase(region);
        outbox_.add({OpKind::recovered, region, 1});
        if (current && recovery_.left(state_->grants(), owner()) == 0) outbox_.send(effects, now);
        return reply(request, {}, effects);
    }
    nosync_.insert(region);
    failures_[outbox_.next_seq()] = region;
    need_ = outbox_.add({OpKind::failed, region, 1}) + 1;
    note_for_legacy(RequestType::set_region_sync, region);
    serve_flush(request, now, effects);
}

}  // namespace cmirror::mirror_log
