// What one kernel instance believes about regions in sync, and what it may therefore be told (design.md, rule 4).
#pragma once

#include <chrono>
#include <cstdint>
#include <set>

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
    /// IS_REMOTE_RECOVERING of `region` was answered.
    void answered_recovering(RegionNumber region, bool recovering) {
        if (recovering) {
            not_recovering_.erase(region);
        } else if (not_recovering_.size() < remembered_max) {
            not_recovering_.insert(region);
        } else {
            forgot_some_ = true;
        }
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
    std::set<RegionNumber> not_recovering_;
    bool forgot_some_ = false;
};

}  // namespace cmirror::mirror_log
