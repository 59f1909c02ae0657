// Another device in the place of a leg.
#include <algorithm>
#include <set>

#include "main/ctl/local_mirrors.hpp"
#include "main/ctl/mirrors.hpp"

namespace cmirror::ctl {
namespace {

std::string list_of(const std::vector<NodeId>& nodes) {
    std::string text = nodes.size() == 1 ? "node" : "nodes";
    for (const auto node : nodes)
        text += (text.size() > 5 ? ", " : " ") + std::to_string(node);
    return text;
}

const LogStatus* find_log(const StatusSnapshot& snapshot, const std::string& log_uuid) {
    for (const auto& part : snapshot.logs)
        if (const auto* log = std::get_if<LogStatus>(&part); log != nullptr && log->uuid.text() == log_uuid) return log;
    return nullptr;
}

/// The nodes beside this one that use the log, or may.
std::vector<NodeId> others_of(const LogStatus& log, NodeId self) {
    std::set<NodeId> nodes;
    for (const auto& member : log.members)
        nodes.insert(member.id.node);
    // One that is away may still write.
    for (const auto& marks : log.marks)
        nodes.insert(marks.owner.node);
    nodes.erase(self);
    return {nodes.begin(), nodes.end()};
}

/// The entry with the new leg at the end: the first leg is what the others are copied from, one that holds the data.
TabEntry replaced(const TabEntry& entry, const ReplaceOrder& order) {
    auto next = entry;
    next.log_uuid = next_log_uuid(entry.log_uuid);
    std::erase(next.legs, order.old_leg);
    next.legs.push_back(order.new_leg);
    return next;
}

/// "sda: 3 regions ...": why the legs that stay do not hold everything; empty if they do.
std::string what_would_be_lost(const LogStatus& log, const std::vector<Leg>& legs, const ReplaceOrder& order) {
    const auto old =
        std::find_if(legs.begin(), legs.end(), [&](const Leg& leg) { return leg.device == order.old_leg; });
    const bool old_failed = old != legs.end() && old->failed();
    const Leg* source = nullptr;
    for (const auto& leg : legs) {
        if (leg.device == order.old_leg) continue;
        if (source == nullptr) source = &leg;
        if (!leg.failed() || (old_failed && &leg != source)) continue;
        return leg.device + ": has failed" +
               (old_failed ? " as well, and the new leg would be copied from it: deactivate the mirror on all nodes, "
                             "give a leg that works the first place in its line of the tab, and activate it again"
                           : ": replace that leg first");
    }
    const auto left = log.region_count - std::min(log.sync_count, log.region_count);
    // What is out of sync is certain on the first leg alone, unless that one failed when the others held everything:
    // then no write has ended since.
    const bool first = old == legs.begin();
    if (left == 0 || !first || (old_failed && log.refresh_due)) return {};
    return order.old_leg + ": " + std::to_string(left) + (left == 1 ? " region is" : " regions are") +
           " not on the other legs yet: wait for the resynchronisation (\"cmirrorctl status\"), or use --force if what "
           "they hold may be lost";
}

}  // namespace

std::string next_log_uuid(const std::string& log_uuid) {
    const auto dot = log_uuid.rfind('.');
    const auto number = dot == std::string::npos ? std::string{} : log_uuid.substr(dot + 1);
    constexpr std::size_t digits_max = 6;
    if (number.empty() || number.size() > digits_max || number.find_first_not_of("0123456789") != std::string::npos)
        return log_uuid + ".2";
    return log_uuid.substr(0, dot + 1) + std::to_string(std::stoul(number) + 1);
}

Result<void, Refusal> Mirrors::may_replace(const TabEntry& entry, const ReplaceOrder& order) {
    const auto snapshot = tools_.status();
    if (!snapshot) return refuse(snapshot.error(), not_running);
    const auto* log = find_log(*snapshot, entry.log_uuid);
    if (log == nullptr)
        return refuse(entry.name + ": the daemon does not know its log " + entry.log_uuid +
                      ": if it was started again since, \"dmsetup status " + entry.name +
                      "\" makes the kernel tell it; then try again");
    if (!order.force) {
        Cmirrortab one;
        one.put(entry);
        const auto mirrors = local_mirrors(*tools_.devices, one, *snapshot, AskLegs::of_all);
        const auto here = mirrors.find(entry.log_uuid);
        const auto lost = here == mirrors.end() ? "" : what_would_be_lost(*log, here->second.legs, order);
        if (!lost.empty()) return refuse(lost);
    }
    const auto nodes = others_of(*log, snapshot->daemon.node);
    if (nodes.empty() || order.hold) return {};
    return refuse(entry.name + ": is active on " + list_of(nodes) +
                  " as well. There first: \"cmirrorctl replace-leg --hold " + entry.name + " " + order.old_leg + " " +
                  order.new_leg + "\" (writes wait from then on), or \"cmirrorctl deactivate " + entry.name + "\"");
}

Outcome Mirrors::replace_leg(const ReplaceOrder& order) {
    auto known = tab();
    if (!known) return tl::unexpected(known.error());
    const auto* entry = known->find(order.name);
    if (entry == nullptr) return no_such_mirror(order.name, tools_.tab_path);
    const auto old_leg = std::find(entry->legs.begin(), entry->legs.end(), order.old_leg);
    if (old_leg == entry->legs.end())
        return refuse(order.old_leg + ": is no leg of " + order.name + ": " + tab_line(*entry));
    const auto there = active(order.name);
    if (!there) return tl::unexpected(there.error());
    if (!*there && (!order.force || order.hold))
        return refuse(order.name + ": is not active on this node: \"cmirrorctl activate " + order.name +
                      "\". If it cannot be, for a leg is missing, and is not on any other node either: \"cmirrorctl "
                      "replace-leg --force\" trusts the other legs");
    const auto disk = usable(order.new_leg, order.force);
    if (!disk) return tl::unexpected(disk.error());
    if (disk->bytes / 512 < entry->sectors)
        return refuse(order.new_leg + ": has less than the mirror's " + size_text(entry->sectors));
    if (*there)
        if (const auto may = may_replace(*entry, order); !may) return tl::unexpected(may.error());
    const auto next = replaced(*entry, order);
    return *there ? replace_live(next, order, *known) : replace_in_tab(next, order, *known);
}

Outcome Mirrors::replace_in_tab(const TabEntry& next, const ReplaceOrder& order, Cmirrortab& tab) {
    if (!next.log_device.empty()) {
        const auto log = tools_.disks->inspect(next.log_device);
        if (log && log->in_use)
            return refuse(next.log_device +
                          ": is in use, so it is not the log of a mirror that is not active (see \"lsblk\")");
        // The old log's bits speak of the old leg.
        if (const auto wiped = tools_.disks->wipe_log(next.log_device); !wiped) return refuse(wiped.error());
    }
    tab.put(next);
    if (const auto saved = save_tab(tools_.tab_path, tab); !saved) return refuse(saved.error());
    return order.name + ": " + order.new_leg + " takes the place of " + order.old_leg + ", and is filled from " +
           next.legs.front() + " by \"cmirrorctl activate " + order.name +
           "\"\nOn the other nodes: put this line into " + tools_.tab_path + " before they activate it\n" +
           tab_line(next);
}

Outcome Mirrors::replace_live(const TabEntry& next, const ReplaceOrder& order, Cmirrortab& tab) {
    const auto mirror = device_of(next, {});
    if (!mirror) return tl::unexpected(mirror.error());
    if (const auto loaded = tools_.devices->load(*mirror); !loaded) return refuse(loaded.error());
    const std::string undo = "\"dmsetup clear " + order.name + "\" and \"dmsetup resume " + order.name + "\"";
    if (const auto suspended = tools_.devices->suspend(order.name); !suspended)
        return refuse(suspended.error() + ": undo it with " + undo);
    if (order.hold)
        return order.name +
               ": suspended, its users wait. Now replace the leg on the next node, on the last one without "
               "--hold; then here \"cmirrorctl refresh " +
               order.name + "\"";
    // The old log's bits speak of the old leg.
    if (!next.log_device.empty())
        if (const auto wiped = tools_.disks->wipe_log(next.log_device); !wiped)
            return refuse(wiped.error() + ": " + order.name + " is suspended; undo it with " + undo);
    // Its users wait: whatever else fails is told afterwards.
    const auto resumed = tools_.devices->resume(order.name);
    tab.put(next);
    const auto saved = save_tab(tools_.tab_path, tab);
    if (!resumed)
        return refuse(resumed.error() + ": it is suspended and its users wait; try \"cmirrorctl refresh " + order.name +
                      "\"");
    if (!saved)
        return refuse(saved.error() +
                      ": the leg is replaced, but put this line there, on all nodes: " + tab_line(next));
    return order.name + ": " + order.new_leg + " takes the place of " + order.old_leg +
           " and is being filled\nOn the other nodes: put this line into " + tools_.tab_path +
           ", then \"cmirrorctl refresh " + order.name + "\" or \"cmirrorctl activate " + order.name + "\"\n" +
           tab_line(next);
}

}  // namespace cmirror::ctl
