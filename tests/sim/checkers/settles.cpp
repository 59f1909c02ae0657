#include "tests/sim/checkers/settles.hpp"

#include "tests/sim/mapped_device.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

std::string SettlesChecker::unfinished() {
    for (auto& n : world_.nodes()) {
        const std::string where = "node " + std::to_string(n->id) + ": ";
        if (!n->daemon || !n->kernel) return where + "not running";
        if (n->kernel->waiting_requests() > 0) {
            const Instant waited = world_.now() - n->kernel->oldest_request();
            return where + "the kernel waits for an answer since " + std::to_string(waited / 1ms) + " ms";
        }
        for (auto& d : n->kernel->devices()) {
            if (d->live() == nullptr || d->busy()) return where + "the mirror does not exist or is suspended";
            if (d->in_flight() > 0)
                return where + std::to_string(d->in_flight()) + " bios wait: " + d->live()->describe();
            if (d->live()->has_stale_cache()) return where + "a region is cached as not in sync";
            const auto* core = n->daemon->log(d->live()->luid());
            if (core == nullptr || !core->valid()) return where + "its log is not a valid member";
            const auto& state = *core->state();
            if (!state.sync().all())
                return where + std::to_string(state.region_count() - state.sync().count()) + " regions out of sync";
            if (!state.clean().all())
                return where + std::to_string(state.region_count() - state.clean().count()) + " regions dirty";
            if (!state.grants().empty() || !state.held().empty()) return where + "grants or held marks are left";
        }
    }
    for (std::size_t i = 0; i < world_.mirrors().size(); ++i)
        for (RegionNumber region = 0; region < world_.mirrors()[i].profile.regions; ++region) {
            const MirrorData& data = *world_.mirrors()[i].data;
            if (!data.differs(region)) continue;
            BesideLegacy& beside = world_.beside_legacy();
            if (world_.options.legacy && (beside.is_theirs(i, region) || beside.device_is_theirs(i, region))) continue;
            return "region " + std::to_string(region) + ": the legs differ: " + data.describe(region);
        }
    return {};
}

}  // namespace cmirror::sim
