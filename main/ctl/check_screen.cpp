#include "main/ctl/check_screen.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "main/ctl/health.hpp"
#include "main/ctl/text.hpp"
#include "messages/wire_control.hpp"

namespace cmirror::ctl {
namespace {

using Findings = std::vector<Finding>;

void add(Findings& findings, bool good, const std::string& what, const std::string& advice) {
    findings.push_back({good, what, good ? "" : advice});
}

/// "node 2 runs version 1.2.0, node 3 runs version 1.1.0": those that have said so and are unlike `own`.
std::string other_versions(const LogStatus& log, const std::string& own) {
    std::string text;
    for (const auto& member : log.members) {
        if (member.version.empty() || member.version == own) continue;
        text +=
            (text.empty() ? "node " : ", node ") + std::to_string(member.id.node) + " runs version " + member.version;
    }
    return text;
}

/// A member that joins just now has not told its version yet.
std::string same_version(const LogStatus& log, const std::string& version) {
    const auto count = log.members.size();
    const auto told = static_cast<std::size_t>(
        std::ranges::count_if(log.members, [](const auto& member) { return !member.version.empty(); }));
    const std::string members = told < count ? std::to_string(told) + " of " + std::to_string(count) + " members run"
                                : count == 1 ? "its one member runs"
                                             : "all " + std::to_string(count) + " members run";
    return members + " version " + version;
}

void add_members_of(Findings& findings, const LogStatus& log, const std::string& version) {
    std::string old;
    for (const auto& member : log.members)
        if (member.legacy) old += (old.empty() ? "" : ", ") + std::to_string(member.id.node);
    const std::string name = "log " + std::string(log.uuid.text()) + ": ";
    const std::string other = other_versions(log, version);
    if (old.empty() && other.empty()) return add(findings, true, name + same_version(log, version), "");
    if (!old.empty())
        add(findings, false, name + "node " + old + " runs an older cmirrord",
            "it works, but slowly: install this cmirrord there as well");
    if (!other.empty())
        add(findings, false, name + other + ", this one " + version, "install the same version on all nodes");
}

void add_members(Findings& findings, const StatusSnapshot& snapshot) {
    for (const auto& part : snapshot.logs) {
        const auto* log = std::get_if<LogStatus>(&part);
        if (log == nullptr) {
            add(findings, false, "a log does not answer", "look at \"journalctl -u lvm2-cmirrord\"");
            continue;
        }
        add_members_of(findings, *log, snapshot.daemon.version);
    }
}

void add_daemon(Findings& findings, const Result<StatusSnapshot, std::string>& daemon, const std::string& own_version) {
    if (!daemon) return add(findings, false, "cmirrord does not answer", daemon.error());
    add(findings, daemon->daemon.version == own_version, "cmirrord runs, version " + daemon->daemon.version,
        "cmirrorctl has version " + own_version +
            ": the daemon is of before an upgrade; \"systemctl kill -s KILL lvm2-cmirrord\" starts the new one");
    add(findings, field_of(*daemon, "cluster", "connected") == "YES", "cmirrord is connected to corosync",
        "look at \"systemctl status corosync\"");
    add(findings, field_of(*daemon, "cluster", "quorum") == "YES", "the cluster has quorum",
        "look at \"corosync-quorumtool\"");
    add_members(findings, *daemon);
}

}  // namespace

Findings findings_of(const SystemFacts& facts, const Result<StatusSnapshot, std::string>& daemon,
                     const std::string& own_version) {
    Findings findings;
    add(findings, facts.root, "runs as root", "use sudo");
    add(findings, facts.missing_rights.empty(), "has the capabilities that cmirrord needs", facts.missing_rights);
    add(findings, facts.connector, "kernel " + facts.kernel + " has the netlink connector",
        "boot a kernel with CONFIG_CONNECTOR, as Debian's are");
    add(findings, facts.dm_mirror, "kernel module dm-mirror",
        "install the kernel's modules, then \"modprobe dm-mirror\"");
    add(findings, facts.dm_log_userspace, "kernel module dm-log-userspace",
        "install the kernel's modules, then \"modprobe dm-log-userspace\"");
    add(findings, facts.corosync, "corosync runs",
        "set up /etc/corosync/corosync.conf, then \"systemctl start corosync\"");
    add_daemon(findings, daemon, own_version);
    return findings;
}

Findings findings_of_tab(const Result<Cmirrortab, std::string>& tab, const std::set<std::string>& mirrors) {
    Findings findings;
    if (!tab) {
        add(findings, false, "the lines of the tab make sense", tab.error() + "; cmirrortab(5) describes them");
        return findings;
    }
    for (const auto& entry : tab->entries())
        if (!entry.noauto)
            add(findings, mirrors.contains(entry.name), "mirror " + entry.name + " is active",
                "cmirrorctl activate " + entry.name);
    return findings;
}

std::string check_screen(const Findings& findings, bool colour) {
    std::string text;
    for (const auto& finding : findings) {
        text += (finding.good ? paint("ok   ", Colour::green, colour) : paint("FAIL ", Colour::red, colour)) +
                finding.what + "\n";
        if (!finding.good) text += "     -> " + finding.advice + "\n";
    }
    const auto bad = std::count_if(findings.begin(), findings.end(), [](const auto& finding) { return !finding.good; });
    return text + (bad == 0 ? "everything is set up\n"
                            : std::to_string(bad) + (bad == 1 ? " thing is" : " things are") + " to be mended\n");
}

std::string check_document(const Findings& findings) {
    nlohmann::ordered_json json{{"version", control_version}};
    json["healthy"] = std::all_of(findings.begin(), findings.end(), [](const auto& finding) { return finding.good; });
    auto& list = json["findings"] = nlohmann::ordered_json::array();
    for (const auto& finding : findings)
        list.push_back({{"good", finding.good}, {"what", finding.what}, {"advice", finding.advice}});
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace cmirror::ctl
