// What a mirror target does on the legs: writes, reads, recovery copies, and their failures.
#include <algorithm>
#include <utility>

#include "tests/sim/mapped_device.hpp"
#include "tests/sim/mirror_target.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

void MirrorTarget::start_write(const BioPtr& bio, bool all_legs) {
    if (bio->kind == BioKind::preflush) return kernel_.start(flush_legs(bio));
    const RegionNumber region = bio->slot.region;
    data_.written_by(bio->version, {kernel_.node().id, luid()});
    dispatched_.emplace(region, bio);
    bio->before.assign(data_.legs(), std::nullopt);
    bio->lost.assign(data_.legs(), false);
    world_.write_dispatched(kernel_.node(), device_, *this, *bio, all_legs);
    const auto writes = std::make_shared<LegWrites>();
    writes->bio = bio;
    writes->left = all_legs ? data_.legs() : 1;
    for (Leg leg = 0; leg < (all_legs ? data_.legs() : 1); ++leg)
        kernel_.start(write_leg(writes, leg));
}

Co<void> MirrorTarget::write_leg(std::shared_ptr<LegWrites> writes, Leg leg) {
    co_await kernel_.sleep(world_.load.around(world_.profile.leg_write));
    const BioPtr bio = writes->bio;
    const bool fails = leg > 0 && world_.strikes(Fault::leg_write_fails, kernel_.node());
    // A write that failed may be there all the same.
    const bool lands = !bio->lost[leg] && (!fails || world_.load.chance(0.3));
    if (lands) {
        bio->before[leg] = data_.at(leg, bio->slot);
        data_.put(leg, bio->slot, bio->version);
        world_.leg_written(kernel_.node(), device_, bio->slot, leg, bio->version);
    }
    // What was written is not known to the kernel at once.
    if (world_.load.chance(0.2)) co_await kernel_.sleep(world_.load.around(world_.profile.leg_write));
    writes->failed = writes->failed || fails;
    if (--writes->left > 0) co_return;
    for (auto [i, end] = dispatched_.equal_range(bio->slot.region); i != end; ++i)
        if (i->second == bio) {
            dispatched_.erase(i);
            break;
        }
    if (writes->failed) {
        if (world_.tracing()) world_.tell(kernel_.node(), "a leg's write failed");
        leg_failure_ = true;
        failures_.push_back(bio);
        wake();
    } else {
        end_pending(bio->slot.region);
        finish(bio, BioEnd::done);
    }
}

Co<void> MirrorTarget::flush_legs(BioPtr bio) {
    co_await kernel_.sleep(world_.load.around(world_.profile.leg_write));
    if (!world_.strikes(Fault::preflush_fails, kernel_.node())) {
        finish(bio, BioEnd::done);
        co_return;
    }
    leg_failure_ = true;
    failures_.push_back(bio);
    wake();
}

/// A leg could not flush its cache: writes that nobody was told to be done may not be there.
void MirrorTarget::lose_cache() {
    const Leg leg = data_.legs() - 1;
    for (const auto& [region, bio] : dispatched_) {
        bio->lost[leg] = true;
        if (!bio->before[leg]) continue;
        if (data_.at(leg, bio->slot) == bio->version) data_.put(leg, bio->slot, *bio->before[leg]);
        world_.count("path: a leg's cache lost a write");
    }
}

Co<void> MirrorTarget::read_primary(BioPtr bio) {
    co_await kernel_.sleep(world_.load.around(world_.profile.leg_read));
    bio->version = data_.at(0, bio->slot);
    finish(bio, BioEnd::done);
}

Co<void> MirrorTarget::copy(RegionNumber region) {
    copying_ = region;
    world_.copy_started(kernel_.node(), device_, *this, region);
    co_await kernel_.sleep(world_.load.around(world_.profile.copy / 2));
    std::vector<Version> read;
    for (std::uint64_t i = 0; i < data_.slots_per_region(); ++i)
        read.push_back(data_.at(0, {region, i}));
    bool failed = false;
    for (Leg leg = 1; leg < data_.legs(); ++leg) {
        co_await kernel_.sleep(world_.load.around(world_.profile.copy / 2));
        const bool fails = world_.strikes(Fault::copy_fails, kernel_.node());
        failed = failed || fails;
        for (std::uint64_t i = 0; i < data_.slots_per_region(); ++i) {
            if (fails && world_.load.chance(0.5)) continue;
            data_.put(leg, {region, i}, read[i]);
        }
    }
    world_.count("regions recovered");
    if (world_.tracing())
        world_.tell(kernel_.node(), "region " + std::to_string(region) + " copied" + (failed ? ", with errors" : "") +
                                        ": " + data_.describe(region));
    copying_.reset();
    leg_failure_ = leg_failure_ || failed;
    (failed ? failed_recovered_ : recovered_).push_back(region);
    wake();
}

void MirrorTarget::hold(BioPtr bio) {
    if (!suspended_) {
        holds_.push_back(std::move(bio));
        return;
    }
    if (bio->kind == BioKind::write) end_pending(bio->slot.region);
    if (noflush_)
        device_.requeue(std::move(bio));
    else
        finish(bio, BioEnd::failed);
}

void MirrorTarget::finish(const BioPtr& bio, BioEnd end) {
    bio->end = end;
    device_.ended(bio);
}

}  // namespace cmirror::sim
