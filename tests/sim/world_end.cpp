// The end of a run: faults stop, everything is mended, and then it must be well within a bounded time.
#include "tests/sim/faults.hpp"
#include "tests/sim/mapped_device.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

namespace {

constexpr Instant settle_max = 600s;
/// After this time without an end an administrator suspends and resumes the mirror, node by node.
constexpr Instant refresh_every = 20s;

Co<void> refresh(MappedDevice& device) {
    co_await device.suspend_and_resume(true);
}
Co<void> replace_table(MappedDevice& device) {
    (void)co_await device.reload();
}

}  // namespace

void World::finish() {
    faults_->end();
    ending_ = true;
    loaded_ = false;
    if (tracing() && !nodes_.empty()) tell(*nodes_[0], "no more faults, no more load");
    const Instant begin = now();
    while (!violation_) {
        const Instant second = now() + 1s;
        while (step(second)) {
        }
        ++seconds_ended_;
        update_legacy_nodes();
        std::string why, by;
        for (auto& checker : checkers_)
            if (why.empty()) {
                why = checker->unfinished();
                by = checker->name();
            }
        if (why.empty()) break;
        if (now() - begin > settle_max) {
            violation(by, 0, "not well " + std::to_string(settle_max / 1s) + " s after the last fault: " + why);
            break;
        }
        if ((now() - begin) / 1s % (refresh_every / 1s) == 0) tend();
    }
    for (auto& n : nodes_)
        if (n->daemon)
            for (const RunningLog& log : n->daemon->logs())
                if (log.core->state() != nullptr) {
                    if (log.core->status().marked_ahead > 0) count("path: regions marked ahead of a stream of writes");
                    mix_digest(log.core->state()->digest(), log.core->state()->ordinal());
                }
    for (const Mirror& m : mirrors_)
        for (RegionNumber region = 0; region < m.profile.regions; ++region)
            for (std::uint64_t i = 0; i < m.profile.slots; ++i)
                mix_digest(region, m.data->at(0, {region, i}));
    mix_digest(static_cast<std::uint64_t>(elapsed().count()), events_);
}

/// One node after the other gets our daemon, by a reboot. Ours cannot tell that from a restart of the field's daemon in
/// the same boot, so what the legacy one left marked is free only after another reboot.
void World::update_legacy_nodes() {
    constexpr unsigned pause_s = 20;
    if (seconds_ended_ % pause_s != 0) return;
    for (auto& n : nodes_) {
        const bool again = rebooted_.contains(n->id);
        if (!n->legacy && !again) continue;
        if (n->legacy) rebooted_.insert(n->id);
        if (!n->legacy) rebooted_.erase(n->id);
        n->legacy = false;
        count(again ? "path: updated node boots again" : "path: legacy node updated");
        if (tracing()) tell(*n, "is updated");
        power_cut({n->id});
        after(2s, [this, node = n.get()] { power_on(*node); });
        return;
    }
}

/// What the status asks an administrator for: a suspend and resume on one node, a new table where legs failed.
void World::tend() {
    ++tended_;
    for (std::size_t i = 0; i < mirrors_.size(); ++i) {
        bool replaced = false;
        for (auto& n : nodes_) {
            MappedDevice* d = device(*n, i);
            if (d == nullptr || d->busy() || d->live() == nullptr || !d->live()->has_stale_cache()) continue;
            n->kernel->start(replace_table(*d));
            replaced = true;
        }
        if (replaced) continue;
        Node& n = *nodes_[(tended_ + i) % nodes_.size()];
        MappedDevice* d = device(n, i);
        if (d == nullptr || d->busy() || d->live() == nullptr) continue;
        count("path: refreshed at the end");
        if (tracing()) tell(n, "the administrator suspends and resumes the mirror");
        n.kernel->start(refresh(*d));
    }
}

namespace {

std::string name_of(Owner owner) {
    return "node " + std::to_string(owner.node) + "/" + hexadecimal(owner.luid);
}

template <class Regions>
std::string list_of(const Regions& regions) {
    constexpr std::size_t shown_max = 12;
    std::string text;
    std::size_t shown = 0;
    for (const RegionNumber region : regions)
        if (shown++ < shown_max) text += " " + std::to_string(region);
    return text + (shown > shown_max ? " ... (" + std::to_string(shown) + ")" : "");
}

std::string describe_state(const mirror_log::LogState& state) {
    std::string text = std::to_string(state.sync().count()) + " in sync, " + std::to_string(state.clean().count()) +
                       " clean of " + std::to_string(state.region_count()) + ", ordinal " +
                       std::to_string(state.ordinal()) + "; members:";
    for (const mirror_log::Member& m : state.members())
        text += " " + std::to_string(m.id.node) + "/" + std::to_string(m.id.process) + (m.valid ? "" : " (no state)") +
                (state.asked(m.owner()) ? " (asks)" : "");
    for (const Owner owner : state.marks().owners())
        text += "; marks of " + name_of(owner) + (state.present(owner) ? ":" : " (absent):") +
                (state.marks().has_everything(owner) ? " everything" : list_of(state.marks().of(owner)));
    for (const auto& [first, run] : state.grants().runs())
        text += "; granted to " + name_of(run.owner) + ": " + std::to_string(first) + "+" + std::to_string(run.count) +
                (run.later ? " (later)" : "");
    for (const mirror_log::HeldMark& held : state.held())
        text += "; held mark of " + name_of(held.owner) + ": " + std::to_string(held.region);
    std::vector<RegionNumber> stale, wanted;
    for (RegionNumber region = 0; region < state.region_count(); ++region) {
        if (!state.sync().test(region)) stale.push_back(region);
        if (state.wanted(region)) wanted.push_back(region);
    }
    if (!stale.empty()) text += "; out of sync:" + list_of(stale);
    if (!wanted.empty()) text += "; wanted:" + list_of(wanted);
    return text;
}

}  // namespace

void World::tell_logs() {
    for (auto& n : nodes_) {
        if (!n->daemon) continue;
        for (const RunningLog& log : n->daemon->logs()) {
            const LogStatus status = log.core->status();
            std::string text = "at the end: " + std::string(log.uuid.text()) + " " + hexadecimal(log.luid) + " " +
                               status.state + (status.quorate ? "" : ", no quorum") +
                               (log.core->valid() ? "" : ", not valid");
            std::map<std::string, std::size_t> waiting;
            for (const PendingRequest& pending : status.pending)
                ++waiting[pending.type];
            for (const auto& [type, count] : waiting)
                text += ", " + std::to_string(count) + " " + type + " wait";
            if (log.core->state() != nullptr) text += "; " + describe_state(*log.core->state());
            tell(*n, text);
        }
        if (!n->kernel) continue;
        for (auto& d : n->kernel->devices())
            if (d->live() != nullptr)
                tell(*n, "at the end: kernel, " + hexadecimal(d->live()->luid()) + ": " + d->live()->describe());
    }
}

}  // namespace cmirror::sim
