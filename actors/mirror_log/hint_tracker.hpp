// What one kernel instance believes about regions in sync, and what it may therefore be told (design.md, rule 4).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

#include "actors/mirror_log/effects.hpp"
#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// Follows the highest in_sync_hint that the kernel may hold. Below it the kernel never asks IS_REMOTE_RECOVERING, so
/// it must not be sent to the primary leg alone there.
class HintTracker {
  public:
    /// Regions remembered whose last IS_REMOTE_RECOVERING answer was 0; a kernel asks at most 4 times a second.
    static constexpr std::size_t remembered_max = 4096;
    /// A reply that is under way can take effect after a later request was sent: how long proofs are not believed.
    static constexpr Instant settle_time = std::chrono::seconds{5};

    explicit HintTracker(std::uint64_t region_count) : region_count_(region_count), highest_(region_count) {}

    /// A real resume: the kernel's hint is 0.
    void resumed() {
        highest_ = 0;
        not_recovering_.clear();
        forgot_some_ = false;
    }
    /// A resume of a reconnect: the kernel kept its hint, which is not known.
    void reconnected() { highest_ = region_count_; }

    /// The hint (or a count that is as good) was given.
    void gave(RegionNumber hint, Instant now) {
        if (hint < highest_) return;
        highest_ = hint;
        given_at_ = now;
    }
    /// A request came that the kernel sends only while its hint is at most `bound`.
    void proved_at_most(RegionNumber bound, Instant now) {
        if (highest_ > bound && now - given_at_ > settle_time) highest_ = bound;
    }
    /// IS_REMOTE_RECOVERING of `region` was answered. A write that was let pass asks IN_SYNC twice, and in between
    /// another write of the same pass may be told to wait: so that does not end it at once.
    void answered_recovering(RegionNumber region, bool recovering, Instant now) {
        const auto told = not_recovering_.find(region);
        if (told == not_recovering_.end()) {
            if (recovering) return;
            if (not_recovering_.size() < remembered_max)
                not_recovering_.emplace(region, never);
            else
                forgot_some_ = true;
        } else if (!recovering) {
            told->second = never;
        } else if (told->second == never) {
            told->second = now;
        } else if (now - told->second > settle_time) {
            not_recovering_.erase(told);
        }
    }
    /// Requests waited until now, perhaps those of a write that was let pass before.
    void interrupted(Instant now) {
        given_at_ = now;
        for (auto& [region, told] : not_recovering_)
            told = never;
    }

    /// May a write to this region be on its way past IS_REMOTE_RECOVERING? Then IN_SYNC must be 1.
    bool writes_may_pass(RegionNumber region) const {
        return region < highest_ || forgot_some_ || not_recovering_.contains(region);
    }
    RegionNumber highest() const { return highest_; }

  private:
    std::uint64_t region_count_;
    RegionNumber highest_;
    Instant given_at_{-settle_time * 2};
    static constexpr Instant never = Instant::max();
    /// Let pass; since when writes were told to wait again.
    std::map<RegionNumber, Instant> not_recovering_;
    bool forgot_some_ = false;
};

}  // namespace cmirror::mirror_log
