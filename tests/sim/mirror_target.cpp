// Its life, its worker and its region hash; writes and copies are in mirror_target_io.cpp.
#include "tests/sim/mirror_target.hpp"

#include <algorithm>
#include <utility>

#include "tests/sim/mapped_device.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

namespace {

constexpr Instant requeue_after = 200ms;

}  // namespace

MirrorTarget::MirrorTarget(MappedDevice& device, LogTable table, Luid luid)
    : device_(device),
      kernel_(device.kernel()),
      world_(kernel_.world()),
      data_(device.data()),
      log_(kernel_, std::move(table), luid),
      woken_(kernel_),
      idle_(kernel_),
      recovery_ended_(kernel_) {
    kernel_.start(work());
}

Co<int> MirrorTarget::construct() {
    co_return co_await log_.construct();
}

Co<void> MirrorTarget::destroy() {
    while (wake_ || working_)
        co_await idle_.wait();
    destroyed_ = true;
    wake();
    co_await log_.destroy();
}

Co<void> MirrorTarget::presuspend(bool noflush) {
    noflush_ = noflush;
    suspended_ = true;
    for (const BioPtr& bio : std::exchange(holds_, {}))
        hold(bio);
    while (recovery_slots_ == 0)
        co_await recovery_ended_.wait();
    --recovery_slots_;
    co_await log_.presuspend();
    while (wake_ || working_)
        co_await idle_.wait();
}

Co<void> MirrorTarget::postsuspend() {
    co_await log_.postsuspend();
}

Co<void> MirrorTarget::resume() {
    co_await log_.resume();
    suspended_ = false;
    recovery_slots_ = 1;
    wake();
}

void MirrorTarget::submit(BioPtr bio) {
    (bio->kind == BioKind::read ? reads_ : writes_).push_back(std::move(bio));
    wake();
}

bool MirrorTarget::has_stale_cache() const {
    return std::any_of(hash_.begin(), hash_.end(),
                       [](const auto& entry) { return entry.second.state == State::not_in_sync; });
}

std::string MirrorTarget::describe() const {
    std::string text = "hint " + std::to_string(log_.in_sync_hint()) + ", " + std::to_string(writes_.size()) +
                       " writes queued, " + std::to_string(holds_.size()) + " held, " +
                       std::to_string(dispatched_.size()) + " dispatched" + (suspended_ ? ", suspended" : "") +
                       (working_ ? ", worker busy" : "");
    constexpr std::array<const char*, 4> names{"clean", "dirty", "not in sync", "recovering"};
    for (const auto& [region, entry] : hash_)
        text += "; region " + std::to_string(region) + " " + names[static_cast<std::size_t>(entry.state)] +
                " pending " + std::to_string(entry.pending) + " delayed " + std::to_string(entry.delayed.size());
    return text;
}

// -- the worker ------------------------------------------------------------------------------------

void MirrorTarget::wake() {
    wake_ = true;
    woken_.notify();
}

Co<void> MirrorTarget::work() {
    while (true) {
        while (!wake_)
            co_await woken_.wait();
        if (destroyed_) co_return;
        wake_ = false;
        working_ = true;
        auto reads = std::exchange(reads_, {});
        auto writes = std::exchange(writes_, {});
        auto failures = std::exchange(failures_, {});
        co_await update_states();
        co_await recover();
        co_await do_reads(std::move(reads));
        co_await do_writes(std::move(writes));
        co_await do_failures(std::move(failures));
        working_ = false;
        if (!wake_) idle_.notify();
    }
}

Co<void> MirrorTarget::wake_later() {
    if (wake_planned_) co_return;
    wake_planned_ = true;
    co_await kernel_.sleep(requeue_after);
    wake_planned_ = false;
    wake();
}

Co<void> MirrorTarget::update_states() {
    const auto clean = std::exchange(clean_list_, {});
    const auto recovered = std::exchange(recovered_, {});
    const auto failed = std::exchange(failed_recovered_, {});
    // They leave the hash at once: who comes meanwhile asks anew.
    std::vector<std::vector<BioPtr>> delayed;
    for (const RegionNumber region : clean)
        hash_.erase(region);
    const auto take = [&](RegionNumber region) {
        delayed.push_back(std::move(hash_[region].delayed));
        hash_.erase(region);
    };
    for (const RegionNumber region : recovered)
        take(region);
    for (const RegionNumber region : failed)
        take(region);
    for (const RegionNumber region : recovered) {
        log_.clear(region);
        co_await complete_recovery(region, true);
    }
    for (const RegionNumber region : failed)
        co_await complete_recovery(region, false);
    for (const auto& bios : delayed)
        for (const BioPtr& bio : bios)
            submit(bio);
    for (const RegionNumber region : clean)
        log_.clear(region);
    (void)co_await log_.flush();
}

Co<void> MirrorTarget::complete_recovery(RegionNumber region, bool success) {
    co_await log_.set_region_sync(region, success);
    ++recovery_slots_;
    recovery_ended_.notify();
}

Instant MirrorTarget::written_at(RegionNumber region) const {
    Instant youngest{};
    const auto [first, last] = dispatched_.equal_range(region);
    for (auto it = first; it != last; ++it)
        youngest = std::max(youngest, it->second->since);
    return youngest;
}

Co<void> MirrorTarget::recover() {
    if (recovery_slots_ > 0) {
        --recovery_slots_;
        const std::optional<RegionNumber> region = co_await log_.get_resync_work();
        if (!region) {
            ++recovery_slots_;
            recovery_ended_.notify();
        } else if (*region >= data_.regions()) {
            world_.violation("hand out", kernel_.node().id, "a region behind the mirror's end is handed out");
        } else {
            granted_at_ = world_.now();
            co_await enter(*region);
            Region& entry = hash_[*region];
            std::erase(clean_list_, *region);
            entry.state = State::recovering;
            if (entry.pending == 0) quiesced_.push_back(*region);
        }
    }
    for (const RegionNumber region : std::exchange(quiesced_, {}))
        kernel_.start(copy(region));
    if (!in_sync_ && co_await log_.get_sync_count() == data_.regions()) in_sync_ = true;
}

Co<void> MirrorTarget::do_reads(std::deque<BioPtr> reads) {
    for (const BioPtr& bio : reads) {
        // In sync or not: the primary leg has not failed.
        (void)co_await state_of(bio->slot.region);
        kernel_.start(read_primary(bio));
    }
}

Co<void> MirrorTarget::do_writes(std::deque<BioPtr> writes) {
    std::vector<BioPtr> to_all, to_primary, behind_recovery;
    bool requeued = false;
    for (const BioPtr& bio : writes) {
        if (bio->kind == BioKind::preflush) {
            to_all.push_back(bio);
            continue;
        }
        const RegionNumber region = bio->slot.region;
        if (co_await log_.is_remote_recovering(region)) {
            writes_.push_back(bio);
            requeued = true;
            continue;
        }
        switch (co_await state_of(region)) {
            case State::clean:
            case State::dirty:
                to_all.push_back(bio);
                break;
            case State::not_in_sync:
                to_primary.push_back(bio);
                break;
            case State::recovering:
                behind_recovery.push_back(bio);
                break;
        }
    }
    if (requeued) kernel_.start(wake_later());
    for (const auto* bios : {&to_all, &to_primary})
        for (const BioPtr& bio : *bios)
            if (bio->kind == BioKind::write) co_await add_pending(bio->slot.region);
    if (co_await log_.flush() != 0) log_failure_ = true;
    for (const BioPtr& bio : to_all) {
        if (log_failure_)
            failures_.push_back(bio);
        else
            start_write(bio, true);
    }
    if (!failures_.empty()) wake();
    for (const BioPtr& bio : behind_recovery) {
        // Its recovery may have ended while others were asked about.
        const auto entry = hash_.find(bio->slot.region);
        if (entry == hash_.end())
            submit(bio);
        else
            entry->second.delayed.push_back(bio);
    }
    for (const BioPtr& bio : to_primary) {
        if (leg_failure_) {
            failures_.push_back(bio);
            wake();
        } else {
            start_write(bio, false);
        }
    }
}

Co<void> MirrorTarget::do_failures(std::deque<BioPtr> failures) {
    for (const BioPtr& bio : failures) {
        if (!log_failure_) {
            in_sync_ = false;
            co_await set_not_in_sync(*bio);
        }
        hold(bio);
    }
}

// -- the region hash ---------------------------------------------------------------------------------

Co<MirrorTarget::State> MirrorTarget::state_of(RegionNumber region) {
    if (const auto found = hash_.find(region); found != hash_.end()) co_return found->second.state;
    const bool in_sync = co_await log_.in_sync(region);
    co_return in_sync ? State::clean : State::not_in_sync;
}

Co<void> MirrorTarget::enter(RegionNumber region) {
    if (hash_.contains(region)) co_return;
    const bool in_sync = co_await log_.in_sync(region);
    const auto [place, added] = hash_.try_emplace(region);
    if (!added) co_return;
    place->second.state = in_sync ? State::clean : State::not_in_sync;
    if (in_sync) clean_list_.push_back(region);
}

Co<void> MirrorTarget::add_pending(RegionNumber region) {
    co_await enter(region);
    Region& entry = hash_.at(region);
    ++entry.pending;
    if (entry.state != State::clean) co_return;
    entry.state = State::dirty;
    std::erase(clean_list_, region);
    log_.mark(region);
}

void MirrorTarget::end_pending(RegionNumber region) {
    const auto found = hash_.find(region);
    if (found == hash_.end() || found->second.pending == 0) return;
    Region& entry = found->second;
    if (--entry.pending > 0) return;
    if (entry.state == State::recovering) {
        quiesced_.push_back(region);
    } else if (flush_failure_) {
        entry.state = State::not_in_sync;
    } else if (entry.state == State::dirty) {
        entry.state = State::clean;
        clean_list_.push_back(region);
    }
    wake();
}

Co<void> MirrorTarget::set_not_in_sync(const Bio& bio) {
    if (bio.kind == BioKind::preflush) {
        flush_failure_ = true;
        lose_cache();
        co_return;
    }
    const RegionNumber region = bio.slot.region;
    co_await log_.set_region_sync(region, false);
    const auto found = hash_.find(region);
    if (found == hash_.end()) co_return;
    const bool recovering = found->second.state == State::recovering;
    found->second.state = State::not_in_sync;
    std::erase(clean_list_, region);
    if (!recovering) co_return;
    const auto delayed = std::exchange(found->second.delayed, {});
    co_await complete_recovery(region, false);
    for (const BioPtr& behind : delayed)
        submit(behind);
}

}  // namespace cmirror::sim
