#include "main/ctl/health.hpp"

#include <algorithm>

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
        problems.push_back({name, "node " + node + " is away and may still write " + what,
                            "once it is certainly dead (fenced, power off): cmirrorctl node-gone " + node});
    }
}

void add_out_of_sync(Problems& problems, const LogStatus& log, const std::string& name) {
    if (log.sync_count >= log.region_count || log.members.empty()) return;
    const auto left = log.region_count - log.sync_count;
    std::string what = number_of(left, "region") + " of " + std::to_string(log.region_count) +
                       (left == 1 ? " is" : " are") + " out of sync";
    if (log.refresh_due)
        problems.push_back({name, what + ", and the kernel does not ask for work before its next resume",
                            "on any one node: cmirrorctl refresh " + name});
    else if (!log.recovering.empty())
        problems.push_back({name, what + ", they are being recovered", ""});
    else
        problems.push_back({name, what, ""});
}

void add_log(Problems& problems, const LogStatus& log, const std::string& name) {
    if (!log.quorate && !log.members.empty())
        problems.push_back({name, "its group has no quorum, or partitions merge at present",
                            "if it stays: look at it with \"corosync-quorumtool\""});
    if (log.device && log.device->failed)
        problems.push_back({name, "its log device " + log.device->name + " fails: " + log.device->last_error,
                            "mend the device, or replace it by making the mirror again with another --log"});
    for (const auto& member : log.members)
        if (!member.valid)
            problems.push_back(
                {name, "node " + std::to_string(member.id.node) + " has joined and waits for the state", ""});
    add_absent(problems, log, name);
    add_out_of_sync(problems, log, name);
}

}  // namespace

std::string name_of(const LogStatus& log, const MirrorNames& names) {
    const auto found = names.find(std::string(log.uuid.text()));
    return found == names.end() ? std::string(log.uuid.text()) : found->second;
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

Problems problems_of(const StatusSnapshot& snapshot, const MirrorNames& names) {
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
            add_log(problems, std::get<LogStatus>(part), name_of(std::get<LogStatus>(part), names));
    }
    return problems;
}

}  // namespace cmirror::ctl
