#include "main/ctl/local_mirrors.hpp"

#include "main/ctl/mirror_table.hpp"

namespace cmirror::ctl {
namespace {

const TabEntry* entry_of(const Cmirrortab& tab, const std::string& name, const MirrorTable& table) {
    const auto* entry = tab.find(name);
    return entry != nullptr && entry->log_uuid == table.log_uuid && entry->legs.size() == table.legs.size() ? entry
                                                                                                            : nullptr;
}

LocalMirror local_mirror(const MappedMirror& mirror, const MirrorTable& table, const TabEntry* entry) {
    LocalMirror local{.name = mirror.name, .suspended = mirror.suspended, .in_tab = entry != nullptr};
    for (const auto& leg : entry != nullptr ? entry->legs : table.legs)
        local.legs.push_back({leg});
    return local;
}

bool worth_asking(const LogStatus& log, AskLegs ask) {
    return log.state == "active" && (ask == AskLegs::of_all || log.sync_count < log.region_count);
}

void add_health(LocalMirror& mirror, DeviceMapper& devices) {
    const auto status = devices.status(mirror.name);
    const auto letters = status ? leg_letters(*status) : std::string{};
    if (letters.size() != mirror.legs.size()) return;
    for (std::size_t leg = 0; leg < letters.size(); ++leg)
        mirror.legs[leg].health = letters[leg];
}

LocalMirrors listed(DeviceMapper& devices, const Cmirrortab& tab) {
    LocalMirrors found;
    const auto mirrors = devices.mirrors();
    if (!mirrors) return found;
    for (const auto& mirror : *mirrors)
        if (const auto table = parse_table(mirror.parameters))
            found.emplace(table->log_uuid, local_mirror(mirror, *table, entry_of(tab, mirror.name, *table)));
    return found;
}

}  // namespace

LocalMirrors local_mirrors(DeviceMapper& devices, const Cmirrortab& tab, const StatusSnapshot& snapshot, AskLegs ask) {
    auto mirrors = listed(devices, tab);
    for (const auto& part : snapshot.logs) {
        const auto* log = std::get_if<LogStatus>(&part);
        if (log == nullptr || !worth_asking(*log, ask)) continue;
        const auto found = mirrors.find(std::string(log->uuid.text()));
        if (found != mirrors.end() && !found->second.suspended) add_health(found->second, devices);
    }
    return mirrors;
}

std::string_view what_failed(char health) {
    switch (health) {
        case 'A':
        case '?':
            return {};
        case 'D':
            return "writes";
        case 'F':
            return "flushes";
        case 'S':
            return "copies";
        case 'R':
            return "reads";
        default:
            return "for a reason that the kernel does not tell";
    }
}

}  // namespace cmirror::ctl
