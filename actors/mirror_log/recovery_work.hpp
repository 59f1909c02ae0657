// The runs that this node's kernel recovers: which region is next, how long the next run should be.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "actors/mirror_log/effects.hpp"
#include "actors/mirror_log/grant_table.hpp"
#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// What only this node knows of its grants: which region its kernel copies, which are done or given back although the
/// group has not heard of it yet.
class RecoveryWork {
  public:
    /// Length of a run, and the time a run should take.
    static constexpr std::uint64_t run_max = 64;
    static constexpr Instant run_time = std::chrono::seconds{1};

    /// The region that the kernel was given and has not reported on.
    std::optional<RegionNumber> current() const { return current_; }

    /// The region to hand to the kernel: the current one, else the lowest of this owner's grants that is neither done
    /// nor given back; it becomes the current one.
    std::optional<RegionNumber> next(const GrantTable& grants, Owner owner, Instant now);
    /// What next() would give.
    std::optional<RegionNumber> upcoming(const GrantTable& grants, Owner owner) const;
    /// Regions granted to the owner that next() could still give, without the current one.
    std::uint64_t left(const GrantTable& grants, Owner owner) const;

    /// The kernel reported on the region, well or ill; `op` is the number of our op that says so. True if it was the
    /// current one; it may also be one that an earlier daemon gave out.
    bool ended(RegionNumber region, Instant now, std::uint64_t op);
    /// A kernel waits for the region: if it is one of ours, it comes next.
    void prefer(RegionNumber region);
    /// The kernel gave up what it was given (PRESUSPEND).
    void stop();
    /// The group is joined anew: only what the kernel copies is still so.
    void rejoin();
    /// An earlier daemon gave the region to the kernel.
    void take_over(RegionNumber region) { current_ = region; }
    /// It may have given any region that is granted to the owner: none is given back before the kernel asks for work. A
    /// kernel copies one region at a time (spec/kernel.md).
    void take_over_unknown() { current_unknown_ = true; }
    /// Can the region be given back, with our op of that number? Then it will not be handed to the kernel any more.
    bool give_back(const GrantTable& grants, Owner owner, RegionNumber region, std::uint64_t op);

    /// The group has heard of our ops below the number: what they ended may be granted anew.
    void heard(std::uint64_t ops);

    /// How many regions to ask for.
    std::uint64_t run_length() const { return run_length_; }

  private:
    /// Regions that could be given next, lowest first, as long as `visit` says so.
    template <class Visit>
    void each_startable(const GrantTable& grants, Owner owner, Visit visit) const;
    bool startable(RegionNumber region) const;

    std::optional<RegionNumber> current_;
    bool current_unknown_ = false;
    Instant started_{};
    /// Done or given back, with our op that says so, until the group has heard of it.
    std::map<RegionNumber, std::uint64_t> finished_;
    /// To be recovered before the others, first come first.
    std::deque<RegionNumber> preferred_;
    std::uint64_t run_length_ = 1;
};

}  // namespace cmirror::mirror_log
