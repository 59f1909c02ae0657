#include "main/ctl/health.hpp"

#include <algorithm>
#include <utility>

#include "main/ctl/text.hpp"

namespace cmirror::ctl {
namespace {

using Problems = std::vector<Problem>;

std::string number_of(std::uint64_t count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void add_cluster(Problems& problems, const StatusSnapshot& snapshot) {
    if (field_of(snapshot, "cluster", "connected") == "NO")
        problems.push_back({"", "corosync cannot be reached, writes to regions that are not dirty yet wait",
                            "look at it with \"systemctl status corosync\""});
    else if (field_of(snapshot, "cluster", "quorum") == "NO")
        problems.push_back({"", "the cluster has no quorum, writes to regions that are not dirty yet wait",
                            "look at it with \"corosync-quorumtool\", bring the other nodes back"});
}

void add_absent(Problems& problems, const LogStatus& log, const std::string& name) {
    for (const auto& marks : log.marks) {
        if (marks.present) continue;
        const auto node = std::to_string(marks.owner.node);
        const auto what = marks.everything ? "all regions" : number_of(marks.count, "region");
        std::string found = "node ";
        found.append(node).append(" is away and may still write ").append(what);
        problems.push_back(
            {name, std::move(found), "once it is certainly dead (fenced, power off): cmirrorctl node-gone " + node});
    }
}

void add_failed_legs(Problems& problems, const LocalMirror& mirror) {
    for (const auto& leg : mirror.legs) {
        if (!leg.failed()) continue;
        // One that cannot be read is read no more, and that is all.
        const std::string wait = leg.health == 'R' ? "" : ", writes to the mirror wait";
        problems.push_back(
            {mirror.name, "its leg " + leg.device + " has failed (" + std::string(what_failed(leg.health)) + ")" + wait,
             mirror.in_tab ? "if it works again: cmirrorctl refresh " + mirror.name +
                                 "; else: cmirrorctl replace-leg " + mirror.name + " " + leg.device + " NEW"
                           : "load a table with another device in its place, it is not in the tab: "
                             "\"dmsetup table " +
                                 mirror.name + "\" shows the present one"});
    }
}

bool any_leg_failed(const LocalMirror& mirror) {
    return std::any_of(mirror.legs.begin(), mirror.legs.end(), [](const Leg& leg) { return leg.failed(); });
}

void add_out_of_sync(Problems& problems, const LogStatus& log, const std::string& name, bool leg_failed) {
    if (log.sync_count >= log.region_count || log.members.empty()) return;
    const auto left = log.region_count - log.sync_count;
    std::string what = number_of(left, "region") + " of " + std::to_string(log.region_count) +
                       (left == 1 ? " is" : " are") + " out of sync";
    // A leg that has failed takes no copies.
    if (log.refresh_due && !leg_failed)
        problems.push_back({name, what + ", and the kernel does not ask for work before its next resume",
                            "on any one node: cmirrorctl refresh " + name});
    else if (!log.recovering.empty())
        problems.push_back({name, what + ", they are being recovered", ""});
    else
        problems.push_back({name, what, ""});
}

/// The kernel waits for most answers, and somebody's writes with it. Work may be waited for, it is only asked for in
/// case.
void add_waiting(Problems& problems, const LogStatus& log, const std::string& name) {
    constexpr std::uint64_t long_ms = 10'000;
    const PendingRequest* oldest = nullptr;
    for (const auto& request : log.pending)
        if (request.type != "GET_RESYNC_WORK" && (oldest == nullptr || request.waited_ms > oldest->waited_ms))
            oldest = &request;
    if (oldest == nullptr || oldest->waited_ms < long_ms) return;
    problems.push_back(
        {name, "its kernel has waited for an answer for " + seconds_text(oldest->waited_ms) + " (" + oldest->type + ")",
         "if nothing else here explains it: \"cmirrorctl dump\" on this node and on the server's"});
}

/// A process that is waited for may hang, or be none of a cmirrord.
void add_awaited(Problems& problems, const LogStatus& log, const std::string& name) {
    for (const auto& member : log.awaited) {
        const auto process = std::to_string(member.process);
        problems.push_back({name,
                            "what needs its group waits for a word of node " + std::to_string(member.node) +
                                " (process " + process + ")",
                            "if it stays: look on that node what process " + process +
                                " is; let it go on, or end it if it is no cmirrord, or hangs"});
    }
}

void add_log(Problems& problems, const LogStatus& log, const LocalMirrors& mirrors) {
    const auto name = name_of(log, mirrors);
    const auto local = mirrors.find(std::string(log.uuid.text()));
    const auto mirror = local == mirrors.end() ? LocalMirror{} : local->second;
    if (!log.quorate && !log.members.empty())
        problems.push_back({name, "its group has no quorum, or partitions merge at present",
                            "if it stays: look at it with \"corosync-quorumtool\""});
    if (log.device && log.device->failed)
        problems.push_back(
            {name, "its log device " + log.device->name + " fails: " + log.device->last_error,
             "mend the device; or deactivate the mirror on all nodes, name another log device in its line of "
             "the tab there, and activate it: everything is copied then"});
    for (const auto& member : log.members)
        if (!member.valid)
            problems.push_back(
                {name, "node " + std::to_string(member.id.node) + " has joined and waits for the state", ""});
    add_awaited(problems, log, name);
    add_failed_legs(problems, mirror);
    add_absent(problems, log, name);
    add_waiting(problems, log, name);
    add_out_of_sync(problems, log, name, any_leg_failed(mirror));
}

}  // namespace

std::string name_of(const LogStatus& log, const LocalMirrors& mirrors) {
    const auto found = mirrors.find(std::string(log.uuid.text()));
    return found == mirrors.end() ? std::string(log.uuid.text()) : found->second.name;
}

std::string field_of(const StatusSnapshot& snapshot, std::string_view part, std::string_view field) {
    for (const auto& entry : snapshot.actors) {
        const auto* actor = std::get_if<ActorStatus>(&entry);
        if (actor == nullptr || actor->heading != part) continue;
        for (const auto& [name, value] : actor->fields)
            if (name == field) return value;
    }
    return {};
}

Problems problems_of(const StatusSnapshot& snapshot, const LocalMirrors& mirrors) {
    Problems problems;
    add_cluster(problems, snapshot);
    for (const auto& part : snapshot.actors)
        if (const auto* missing = std::get_if<PartMissing>(&part))
            problems.push_back({"", "a part of the daemon does not answer: " + missing->reason,
                                "if it stays: look at the daemon's log and report it"});
    for (const auto& part : snapshot.logs) {
        if (const auto* missing = std::get_if<PartMissing>(&part))
            problems.push_back({"", "a log does not answer: " + missing->reason,
                                "if it stays: look at the daemon's log and report it"});
        else
            add_log(problems, std::get<LogStatus>(part), mirrors);
    }
    for (const auto& [uuid, mirror] : mirrors)
        if (mirror.suspended)
            problems.push_back({mirror.name, "it is suspended on this node, its users wait",
                                "unless a leg is being replaced: cmirrorctl refresh " + mirror.name});
    return problems;
}

}  // namespace cmirror::ctl
