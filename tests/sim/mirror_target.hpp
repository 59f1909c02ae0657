// The kernel's mirror target on one node: region hash, worker, recovery, leg failures (spec/kernel.md, "What the mirror
// does with answers").
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/dirty_log.hpp"
#include "tests/sim/mirror_data.hpp"

namespace cmirror::sim {

class MappedDevice;

enum class BioKind : std::uint8_t { read, write, preflush };
enum class BioEnd : std::uint8_t { none, done, failed };

/// A read, a write or a flush of an application.
struct Bio {
    BioKind kind = BioKind::read;
    Slot slot;
    /// What is written, or was read.
    Version version = 0;
    BioEnd end = BioEnd::none;
    /// The application waits under this number.
    std::uint64_t parked = 0;
    /// By leg: what was there before, once it was written; and whether the leg's cache lost it.
    std::vector<std::optional<Version>> before;
    std::vector<bool> lost;
    Instant since{};
};
using BioPtr = std::shared_ptr<Bio>;

class MirrorTarget {
  public:
    MirrorTarget(MappedDevice& device, LogTable table, Luid luid);

    Luid luid() const { return log_.luid(); }
    DirtyLog& log() { return log_; }

    Co<int> construct();
    Co<void> destroy();
    /// With `noflush` bios that are held go back to the device, else they fail.
    Co<void> presuspend(bool noflush);
    Co<void> postsuspend();
    Co<void> resume();
    void submit(BioPtr bio);

    /// Something failed that only a new table mends.
    bool needs_new_table() const { return leg_failure_ || log_failure_ || flush_failure_; }
    /// Regions cached as not in sync, or being recovered.
    bool has_stale_cache() const;
    std::string describe() const;
    /// A recovery copy of this region is under way here.
    bool copies(RegionNumber region) const { return copying_ == region; }
    /// When the last region was given to this kernel to be recovered.
    Instant granted_at() const { return granted_at_; }
    /// Writes to the region that are on their way to the legs.
    bool writes(RegionNumber region) const { return dispatched_.contains(region); }
    /// When the youngest of them was submitted.
    Instant written_at(RegionNumber region) const;
    /// The kernel asks for recovery as long as this is below the region count.
    RegionNumber in_sync_hint() const { return log_.in_sync_hint(); }

  private:
    enum class State : std::uint8_t { clean, dirty, not_in_sync, recovering };
    struct Region {
        State state = State::clean;
        unsigned pending = 0;
        std::vector<BioPtr> delayed;
    };

    // the worker
    Co<void> work();
    void wake();
    Co<void> update_states();
    Co<void> recover();
    Co<void> do_reads(std::deque<BioPtr> reads);
    Co<void> do_writes(std::deque<BioPtr> writes);
    Co<void> do_failures(std::deque<BioPtr> failures);
    Co<void> wake_later();

    // the region hash
    Co<State> state_of(RegionNumber region);
    Co<void> enter(RegionNumber region);
    Co<void> add_pending(RegionNumber region);
    void end_pending(RegionNumber region);
    Co<void> complete_recovery(RegionNumber region, bool success);
    Co<void> set_not_in_sync(const Bio& bio);

    // input and output
    struct LegWrites {
        BioPtr bio;
        std::size_t left = 0;
        bool failed = false;
    };
    Co<void> write_leg(std::shared_ptr<LegWrites> writes, Leg leg);
    Co<void> flush_legs(BioPtr bio);
    Co<void> read_primary(BioPtr bio);
    Co<void> copy(RegionNumber region);
    void start_write(const BioPtr& bio, bool all_legs);
    void lose_cache();
    void hold(BioPtr bio);
    void finish(const BioPtr& bio, BioEnd end);

    MappedDevice& device_;
    Kernel& kernel_;
    World& world_;
    MirrorData& data_;
    DirtyLog log_;
    std::map<RegionNumber, Region> hash_;
    std::vector<RegionNumber> clean_list_, quiesced_, recovered_, failed_recovered_;
    std::deque<BioPtr> reads_, writes_, failures_, holds_;
    /// Writes under way, by region.
    std::multimap<RegionNumber, BioPtr> dispatched_;
    std::optional<RegionNumber> copying_;
    Instant granted_at_{};
    bool wake_ = false, working_ = false, wake_planned_ = false;
    Signal woken_, idle_, recovery_ended_;
    /// Recoveries that may be started: 1, or 0 while one runs or they are stopped.
    unsigned recovery_slots_ = 0;
    bool suspended_ = true, noflush_ = false;
    bool in_sync_ = false, leg_failure_ = false, log_failure_ = false, flush_failure_ = false;
    bool destroyed_ = false;
};

}  // namespace cmirror::sim
