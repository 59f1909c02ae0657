#include "main/ctl/mirrors.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "messages/wire_disk.hpp"

namespace cmirror::ctl {
namespace {

constexpr std::uint64_t region_sectors_default = 1024;
/// Regions that a mirror has at most unless its region size is given.
constexpr std::uint64_t regions_default_max = 1ULL << 20U;

std::string number_text(const DiskFacts& disk) {
    return std::to_string(disk.major) + ":" + std::to_string(disk.minor);
}

/// The uuid of the mapped device. The log's is made to be one, unless somebody chose another kind.
std::string device_uuid(const std::string& log_uuid) {
    return log_uuid.starts_with("CMIRROR-") ? log_uuid : "CMIRROR-" + log_uuid;
}

/// Of the size that was wanted, or the most that fits into whole regions.
std::uint64_t fitting_size(std::uint64_t smallest_leg, const CreateOrder& order, std::uint64_t region_sectors) {
    return order.sectors != 0 ? order.sectors : smallest_leg / region_sectors * region_sectors;
}

std::uint64_t region_size_for(std::uint64_t sectors) {
    auto region = region_sectors_default;
    while (sectors / region > regions_default_max)
        region *= 2;
    return region;
}

}  // namespace

tl::unexpected<Refusal> no_such_mirror(const std::string& name, const std::string& tab_path) {
    return refuse("there is no mirror \"" + name + "\" in " + tab_path +
                  ": make it with \"cmirrorctl create\", or copy its line from a node that has it");
}

// -- what the commands share -------------------------------------------------------------------------

Result<Cmirrortab, Refusal> Mirrors::tab() {
    auto tab = load_tab(tools_.tab_path);
    if (!tab) return refuse(tab.error());
    return *tab;
}

Result<TabEntry, Refusal> Mirrors::entry_of(const std::string& name) {
    const auto known = tab();
    if (!known) return tl::unexpected(known.error());
    const auto* entry = known->find(name);
    if (entry == nullptr) return no_such_mirror(name, tools_.tab_path);
    return *entry;
}

Result<std::optional<MappedMirror>, Refusal> Mirrors::active(const std::string& name) {
    const auto mirrors = tools_.devices->mirrors();
    if (!mirrors) return refuse(mirrors.error());
    for (const auto& mirror : *mirrors)
        if (mirror.name == name) return mirror;
    return std::nullopt;
}

Result<void, Refusal> Mirrors::daemon_runs() {
    // Without it the kernel would wait for answers, and would then fail.
    if (const auto snapshot = tools_.status(); !snapshot) return refuse(snapshot.error(), not_running);
    return {};
}

Result<DiskFacts, Refusal> Mirrors::usable(const std::string& path, bool force) {
    if (!path.starts_with('/') || path.find_first_of(", \t\n") != std::string::npos)
        return refuse(path + ": give the full path of a device, one that is the same on all nodes");
    const auto disk = tools_.disks->inspect(path);
    if (!disk) return refuse(disk.error());
    if (disk->in_use) return refuse(path + ": is in use: unmount it, or remove what is on top of it (see \"lsblk\")");
    if (!disk->contents.empty() && !force)
        return refuse(path + ": holds something (" + disk->contents +
                      "): if it is of no use any more, use --force; if the mirror exists on another node already, copy "
                      "its line to " +
                      tools_.tab_path + " and use \"cmirrorctl activate\"");
    return *disk;
}

Result<MappedMirror, Refusal> Mirrors::device_of(const TabEntry& entry, const std::vector<std::string>& extra_options) {
    std::string log_device;
    if (!entry.log_device.empty()) {
        const auto disk = tools_.disks->inspect(entry.log_device);
        if (!disk)
            return refuse(disk.error() + ": bring it back, or on all nodes name another log device, or none, in " +
                          tools_.tab_path);
        log_device = number_text(*disk);
    }
    auto table = table_of(entry, log_device);
    table.options.insert(table.options.begin(), extra_options.begin(), extra_options.end());
    MappedMirror mirror;
    mirror.name = entry.name;
    mirror.uuid = device_uuid(entry.log_uuid);
    mirror.sectors = entry.sectors;
    mirror.parameters = table_text(table);
    return mirror;
}

tl::unexpected<Refusal> Mirrors::not_made(const TabEntry& entry, const std::string& why) {
    for (const auto& leg : entry.legs)
        if (const auto disk = tools_.disks->inspect(leg); !disk)
            return refuse(disk.error() + ": bring it back, or replace it: \"cmirrorctl replace-leg --force " +
                          entry.name + " " + leg + " NEW\"");
    return refuse(why + " (what the kernel and the daemon say: \"dmesg\", \"journalctl -u lvm2-cmirrord\")");
}

Outcome Mirrors::load(const TabEntry& entry, const std::vector<std::string>& extra_options) {
    const auto mirror = device_of(entry, extra_options);
    if (!mirror) return tl::unexpected(mirror.error());
    const auto made = tools_.devices->create(*mirror);
    if (!made) return not_made(entry, made.error());
    return entry.name + ": active";
}

// -- the commands ------------------------------------------------------------------------------------

Outcome Mirrors::create(const CreateOrder& order) {
    auto known = tab();
    if (!known) return tl::unexpected(known.error());
    if (!is_mirror_name(order.name))
        return refuse("\"" + order.name + "\" is no name for a mirror: use letters, digits and . _ + -", usage_error);
    if (known->find(order.name) != nullptr)
        return refuse(order.name + ": is in " + tools_.tab_path + " already: use \"cmirrorctl activate " + order.name +
                      "\"");
    if (order.legs.size() < 2) return refuse("a mirror has two legs at least: --leg DEV --leg DEV", usage_error);
    return checked_create(order, *known);
}

Outcome Mirrors::checked_create(const CreateOrder& order, Cmirrortab& tab) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
    std::uint64_t smallest = ~std::uint64_t{0};
    std::uint64_t log_bytes = ~std::uint64_t{0};
    auto devices = order.legs;
    if (!order.log_device.empty()) devices.push_back(order.log_device);
    for (const auto& path : devices) {
        const auto disk = usable(path, order.force);
        if (!disk) return tl::unexpected(disk.error());
        if (!seen.emplace(disk->major, disk->minor).second)
            return refuse(path + ": is given twice, perhaps by another name (" + number_text(*disk) + ")");
        if (path == order.log_device)
            log_bytes = disk->bytes;
        else
            smallest = std::min(smallest, disk->bytes / 512);
    }
    const auto region = order.region_sectors != 0 ? order.region_sectors
                                                  : region_size_for(order.sectors != 0 ? order.sectors : smallest);
    TabEntry entry{.name = order.name,
                   .legs = order.legs,
                   .log_device = order.log_device,
                   .sectors = fitting_size(smallest, order, region),
                   .region_sectors = region,
                   .log_uuid = order.log_uuid.empty() ? "CMIRROR-" + order.name : order.log_uuid};
    if (entry.sectors > smallest)
        return refuse("the smallest leg has " + size_text(smallest) + ", less than " + size_text(entry.sectors));
    // Also checks what a line of the tab has to satisfy.
    if (const auto good = parse_tab_line(tab_line(entry)); !good) return refuse(good.error());
    const auto log_needed = device_bytes((entry.sectors + region - 1) / region);
    if (log_bytes < log_needed)
        return refuse(order.log_device + ": has " + std::to_string(log_bytes) + " bytes, the log needs " +
                      std::to_string(log_needed) + ": use a larger device, or a larger --region-size");
    if (const auto runs = daemon_runs(); !runs) return tl::unexpected(runs.error());
    // What an earlier log says of its legs is not true of these.
    if (!order.log_device.empty())
        if (const auto wiped = tools_.disks->wipe_log(order.log_device); !wiped) return refuse(wiped.error());
    auto made = load(entry, order.nosync ? std::vector<std::string>{"nosync"} : std::vector<std::string>{});
    if (!made) return made;
    tab.put(entry);
    if (const auto saved = save_tab(tools_.tab_path, tab); !saved)
        return refuse(saved.error() +
                      ": the mirror is active, but not after the next boot; add this line: " + tab_line(entry));
    return entry.name + ": active, " + size_text(entry.sectors) + "\nOn the other nodes: add this line to " +
           tools_.tab_path + ", then \"cmirrorctl activate " + entry.name + "\"\n" + tab_line(entry);
}

Outcome Mirrors::activate(const std::string& name) {
    const auto entry = entry_of(name);
    if (!entry) return tl::unexpected(entry.error());
    const auto there = active(name);
    if (!there) return tl::unexpected(there.error());
    if (*there) {
        const auto table = parse_table((*there)->parameters);
        if (table && table->log_uuid == entry->log_uuid) return name + ": active already";
        return refuse(name + ": another mirror of that name is active: \"dmsetup table " + name + "\" shows it");
    }
    if (const auto runs = daemon_runs(); !runs) return tl::unexpected(runs.error());
    return load(*entry, {});
}

namespace {

/// Does `act` for every name; the texts below each other. Fails if one failed.
template <class Act>
Outcome for_each(const std::vector<std::string>& names, Act act) {
    std::string done;
    std::string wrong;
    ExitCode code = failed;
    for (const auto& name : names) {
        const auto outcome = act(name);
        auto& text = outcome ? done : wrong;
        if (!outcome) code = outcome.error().code;
        text += (text.empty() ? "" : "\n") + (outcome ? *outcome : outcome.error().text);
    }
    if (!wrong.empty()) return refuse(wrong, code);
    return done.empty() ? "nothing to do" : done;
}

}  // namespace

Outcome Mirrors::activate_all() {
    const auto known = tab();
    if (!known) return tl::unexpected(known.error());
    std::vector<std::string> names;
    for (const auto& entry : known->entries())
        if (!entry.noauto) names.push_back(entry.name);
    return for_each(names, [this](const std::string& name) { return activate(name); });
}

Outcome Mirrors::deactivate(const std::string& name) {
    const auto there = active(name);
    if (!there) return tl::unexpected(there.error());
    if (!*there) return name + ": not active";
    if ((*there)->open_count > 0)
        return refuse(name + ": is in use: unmount it, or remove what is on top of it (see \"lsblk\")");
    if (const auto runs = daemon_runs(); !runs) return tl::unexpected(runs.error());
    if (const auto removed = tools_.devices->remove(name); !removed) return refuse(removed.error());
    return name + ": no longer active on this node";
}

Outcome Mirrors::deactivate_all() {
    const auto known = tab();
    if (!known) return tl::unexpected(known.error());
    std::vector<std::string> names;
    for (const auto& entry : known->entries()) {
        const auto there = active(entry.name);
        if (!there) return tl::unexpected(there.error());
        if (*there) names.push_back(entry.name);
    }
    return for_each(names, [this](const std::string& name) { return deactivate(name); });
}

Outcome Mirrors::remove(const std::string& name) {
    auto known = tab();
    if (!known) return tl::unexpected(known.error());
    if (known->find(name) == nullptr) return no_such_mirror(name, tools_.tab_path);
    auto gone = deactivate(name);
    if (!gone) return gone;
    known->erase(name);
    if (const auto saved = save_tab(tools_.tab_path, *known); !saved) return refuse(saved.error());
    return name + ": removed from this node; its legs keep their data";
}

// To a leg that has failed a kernel writes again under another table alone, be it the same one.
Result<void, Refusal> Mirrors::load_again(const MappedMirror& mirror) {
    const auto known = tab();
    const auto* entry = known ? known->find(mirror.name) : nullptr;
    const auto table = parse_table(mirror.parameters);
    if (entry == nullptr || !table || table->log_uuid != entry->log_uuid) return {};
    const auto status = tools_.devices->status(mirror.name);
    if (!status || leg_letters(*status).find_first_not_of('A') == std::string::npos) return {};
    const auto same = device_of(*entry, {});
    if (!same) return tl::unexpected(same.error());
    if (const auto loaded = tools_.devices->load(*same); !loaded) return refuse(loaded.error());
    return {};
}

Outcome Mirrors::refresh(const std::string& name) {
    const auto there = active(name);
    if (!there) return tl::unexpected(there.error());
    if (!*there) return refuse(name + ": is not active on this node: \"cmirrorctl activate " + name + "\"");
    if (const auto runs = daemon_runs(); !runs) return tl::unexpected(runs.error());
    if (!(*there)->suspended) {
        if (const auto again = load_again(**there); !again) return tl::unexpected(again.error());
        if (const auto suspended = tools_.devices->suspend(name); !suspended) return refuse(suspended.error());
    }
    if (const auto resumed = tools_.devices->resume(name); !resumed)
        return refuse(resumed.error() + ": it is suspended and its users wait; try \"cmirrorctl refresh " + name +
                      "\" again");
    // Another table may have been waiting: that of a leg replaced.
    auto known = tab();
    const auto now = active(name);
    const auto table = now && *now ? parse_table((*now)->parameters) : std::nullopt;
    const auto* entry = known ? known->find(name) : nullptr;
    if (entry == nullptr || !table || table->log_uuid == entry->log_uuid) return name + ": refreshed";
    return name + ": refreshed, with another log (" + table->log_uuid + "): copy its line of " + tools_.tab_path +
           " from the node where the leg was replaced";
}

}  // namespace cmirror::ctl
