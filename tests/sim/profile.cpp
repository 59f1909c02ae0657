#include "tests/sim/profile.hpp"

#include <algorithm>

#include "tests/sim/random.hpp"

namespace cmirror::sim {

namespace {

struct Kind {
    std::string_view name;
    /// Mean gap where it is on: drawn between these.
    Instant often, seldom;
};

constexpr std::array<Kind, fault_count> kinds{{
    {"power_cut", 8s, 40s},          {"power_cut_several", 15s, 60s},
    {"power_cut_all", 20s, 80s},     {"daemon_killed", 5s, 40s},
    {"daemon_paused", 3s, 30s},      {"partition", 8s, 40s},
    {"corosync_restarted", 8s, 40s}, {"stalled", 3s, 20s},
    {"try_again", 1s, 20s},          {"message_vanishes", 1s, 20s},
    {"quorum_late", 3s, 20s},        {"request_twice", 500ms, 10s},
    {"request_lost", 3s, 30s},       {"reply_lost", 3s, 30s},
    {"garbage", 500ms, 10s},         {"leg_write_fails", 3s, 30s},
    {"copy_fails", 3s, 30s},         {"preflush_fails", 3s, 30s},
    {"state_lost", 8s, 40s},         {"state_damaged", 8s, 40s},
    {"state_unwritable", 8s, 40s},   {"device_write_fails", 3s, 30s},
    {"device_write_torn", 3s, 30s},  {"device_read_fails", 3s, 30s},
    {"device_away", 8s, 40s},        {"device_slow", 5s, 30s},
    {"suspended", 5s, 40s},          {"reloaded", 8s, 40s},
    {"removed", 12s, 60s},           {"load_abandoned", 5s, 40s},
}};

bool named(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

void draw_faults(Profile& profile, const Options& options, Random& random) {
    // Some runs have few kinds, some many.
    const double share = 0.1 + 0.5 * random.unit();
    for (std::size_t i = 0; i < fault_count; ++i) {
        const Kind& kind = kinds[i];
        const bool on = random.chance(share);
        const Instant gap = random.between(kind.often, kind.seldom);
        const bool wanted = options.only.empty() ? on : named(options.only, kind.name);
        if (wanted && !options.calm && !named(options.without, kind.name)) profile.gap[i] = gap;
    }
}

MirrorProfile draw_mirror(Random& random) {
    MirrorProfile mirror;
    constexpr std::array<std::uint64_t, 6> sizes{1, 8, 24, 40, 64, 150};
    mirror.regions = sizes[random.index(sizes.size())] + random.below(8);
    mirror.slots = 1 + random.below(3);
    mirror.legs = 2 + random.index(2);
    mirror.disk_log = random.chance(0.5);
    // A core log with nosync counts as in sync when its last member is lost, whatever the legs hold: the table says so.
    mirror.nosync = random.chance(0.3) && mirror.disk_log;
    mirror.integrated_flush = random.chance(0.3);
    return mirror;
}

void draw_times(Profile& profile, Random& random) {
    constexpr std::array<Instant, 4> network{20us, 200us, 2ms, 30ms};
    profile.to_order = network[random.index(network.size())];
    profile.to_deliver = network[random.index(network.size())];
    profile.to_reply = random.chance(0.7) ? 50us : 1ms;
    profile.slow_reply = random.chance(0.3) ? 0.01 : 0;
    constexpr std::array<Instant, 3> disk{300us, 3ms, 50ms};
    profile.leg_write = disk[random.index(disk.size())];
    profile.leg_read = disk[random.index(disk.size())];
    profile.copy = disk[random.index(disk.size())] * 4;
    profile.device = disk[random.index(disk.size())];
}

void draw_settings(mirror_log::Settings& settings, Random& random) {
    // Small bounds make what they bound frequent.
    if (random.chance(0.3)) settings.warm_marks_max = random.index(4);
    if (random.chance(0.3)) settings.warm_idle = 500ms;
    if (random.chance(0.3)) settings.lazy_send = 20ms;
    if (random.chance(0.3)) settings.digest_every = 2s;
    if (random.chance(0.2)) settings.fenced_after = 12s;
}

/// What docs/mixed-clusters.md says nothing good about is left out: partitions, and a table that calls all in sync.
void draw_legacy(Profile& profile, const Options& options) {
    Random random(mix(options.seed) ^ 0x6c656761U);
    for (MirrorProfile& mirror : profile.mirrors)
        mirror.nosync = false;
    profile.gap[static_cast<std::size_t>(Fault::partition)] = {};
    std::vector<NodeId> ids;
    for (NodeId id = 1; id <= options.nodes; ++id)
        ids.insert(ids.begin() + static_cast<std::ptrdiff_t>(random.index(ids.size() + 1)), id);
    const std::size_t some = random.chance(0.6) ? 1 : 1 + random.index(options.nodes - 1);
    profile.legacy_nodes.insert(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(some));
}

}  // namespace

std::string_view name_of(Fault fault) {
    return kinds[static_cast<std::size_t>(fault)].name;
}

Profile draw_profile(const Options& options) {
    Random random(mix(options.seed) ^ 0x70726f66U);
    Profile profile;
    profile.mirrors.push_back(draw_mirror(random));
    if (random.chance(0.25)) profile.mirrors.push_back(draw_mirror(random));
    draw_faults(profile, options, random);
    draw_times(profile, random);
    draw_settings(profile.settings, random);
    profile.writers = 1 + static_cast<unsigned>(random.below(3));
    profile.readers = static_cast<unsigned>(random.below(3));
    constexpr std::array<Instant, 3> think{200ms, 1s, 4s};
    profile.think = think[random.index(think.size())];
    profile.hot = random.unit();
    profile.hot_regions = 1 + random.below(6);
    if (options.legacy) draw_legacy(profile, options);
    profile.preflush = profile.on(Fault::preflush_fails) ? 0.2 : 0.02;
    profile.sequential = random.chance(0.25);
    return profile;
}

std::string Profile::describe() const {
    std::string text;
    for (const MirrorProfile& m : mirrors)
        text += std::to_string(m.regions) + " regions, " + std::to_string(m.slots) + " slots, " +
                std::to_string(m.legs) + " legs, " + (m.disk_log ? "disk" : "core") + (m.nosync ? ", nosync" : "") +
                (m.integrated_flush ? ", integrated_flush" : "") + "; ";
    if (sequential) text += "writes from region to region; ";
    if (!legacy_nodes.empty()) text += "legacy:";
    for (const NodeId id : legacy_nodes)
        text += " " + std::to_string(id);
    text += legacy_nodes.empty() ? "faults:" : "; faults:";
    for (std::size_t i = 0; i < fault_count; ++i)
        if (gap[i] != Instant{}) text += " " + std::string(kinds[i].name) + "/" + std::to_string(gap[i] / 1s) + "s";
    return text;
}

}  // namespace cmirror::sim
