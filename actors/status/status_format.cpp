// How a snapshot reads.
#include <algorithm>
#include <cstdio>
#include <utility>

#include "actors/status/status_core.hpp"

namespace cmirror {
namespace {

/// Lists longer than this are cut, so that a snapshot of a large log stays readable.
constexpr std::size_t listed_max = 32;

class Lines {
  public:
    void heading(std::string text) { lines_.push_back(std::move(text)); }
    void field(std::string_view name, std::string_view value) {
        constexpr std::size_t width = 18;
        std::string line = "  " + std::string(name);
        line.resize(std::max(line.size(), width + 2), ' ');
        lines_.push_back(line + ": " + std::string(value));
    }
    void field(std::string_view name, std::uint64_t value) { field(name, std::to_string(value)); }
    void item(std::string_view text) { lines_.push_back("    " + std::string(text)); }
    void more(std::size_t total) {
        if (total > listed_max) item("... " + std::to_string(total - listed_max) + " more");
    }
    std::vector<std::string> take() { return std::move(lines_); }

  private:
    std::vector<std::string> lines_;
};

/// "12/70 (17.1%)"; 100% only when all are counted.
std::string share(std::uint64_t part, std::uint64_t whole) {
    if (whole == 0) return "0/0";
    const auto tenths =
        part >= whole
            ? 1000
            : static_cast<std::uint64_t>(static_cast<long double>(part) * 1000 / static_cast<long double>(whole));
    char percent[16];
    std::snprintf(percent, sizeof percent, "%u.%u%%", static_cast<unsigned>(tenths / 10),
                  static_cast<unsigned>(tenths % 10));
    return std::to_string(part) + "/" + std::to_string(whole) + " (" + percent + ")";
}

std::string owner_text(const Owner& owner) {
    return "node " + std::to_string(owner.node) + " luid " + hexadecimal(owner.luid);
}

void add_recovering(Lines& lines, const std::vector<RecoveringRun>& runs) {
    lines.field("recovering", runs.empty() ? "none" : "");
    for (std::size_t i = 0; i < std::min(runs.size(), listed_max); ++i) {
        const auto& run = runs[i];
        const auto last = run.first + (run.count == 0 ? 0 : run.count - 1);
        lines.item(owner_text(run.owner) + ": regions " + std::to_string(run.first) + "-" + std::to_string(last) +
                   " (" + std::to_string(run.count) + ")");
    }
    lines.more(runs.size());
}

void add_marks(Lines& lines, const std::vector<MarksOfOwner>& marks) {
    lines.field("marks", marks.empty() ? "none" : "");
    for (std::size_t i = 0; i < std::min(marks.size(), listed_max); ++i) {
        const auto& of = marks[i];
        auto text = owner_text(of.owner) + ": ";
        text += of.everything ? "every region, its marks are not known" : std::to_string(of.count);
        for (std::size_t s = 0; s < of.sample.size(); ++s)
            text += (s == 0 ? " [" : " ") + std::to_string(of.sample[s]);
        if (!of.sample.empty()) text += of.sample.size() < of.count ? " ...]" : "]";
        if (!of.present) text += ", away: its kernel may still write";
        lines.item(text);
    }
    lines.more(marks.size());
}

std::string member_text(MemberId id) {
    return "node " + std::to_string(id.node) + " process " + std::to_string(id.process);
}

void add_members(Lines& lines, const std::vector<MemberStatus>& members) {
    lines.field("members", members.empty() ? "none" : "");
    for (std::size_t i = 0; i < std::min(members.size(), listed_max); ++i) {
        const auto& member = members[i];
        auto text = member_text(member.id);
        text += member.valid ? ": valid" : ": no state yet";
        if (member.server) text += ", server";
        if (member.legacy) text += ", legacy";
        lines.item(text);
    }
    lines.more(members.size());
}

void add_device(Lines& lines, const LogStatus& log) {
    if (!log.device) return lines.field("device", "none");
    const auto& device = *log.device;
    lines.field("device", device.name + (device.failed ? ": FAILED: " + device.last_error : ": working"));
    lines.field("device_writes",
                std::to_string(device.writes) + " (" + std::to_string(device.bytes_written) + " bytes)");
}

void add_pending(Lines& lines, const std::vector<PendingRequest>& pending) {
    lines.field("pending", pending.empty() ? "none" : "");
    for (std::size_t i = 0; i < std::min(pending.size(), listed_max); ++i)
        lines.item(pending[i].type + " seq " + std::to_string(pending[i].seq) + ", for " +
                   std::to_string(pending[i].waited_ms) + " ms");
    lines.more(pending.size());
}

void add_awaited(Lines& lines, const std::vector<MemberId>& awaited) {
    if (awaited.empty()) return;
    lines.field("awaited", "");
    for (const MemberId member : awaited)
        lines.item(member_text(member));
}

void add_log(Lines& lines, const LogStatus& log) {
    lines.heading(std::string(log.uuid.text()));
    lines.field("luid", hexadecimal(log.luid));
    lines.field("state", log.state);
    lines.field("type", log.log_type);
    lines.field("region_size", std::to_string(log.region_size_sectors) + " sectors");
    lines.field("region_count", log.region_count);
    lines.field("sync_count", share(log.sync_count, log.region_count));
    lines.field("dirty", log.dirty_count);
    lines.field("in_sync_hint", log.in_sync_hint);
    lines.field("quorum", log.quorate ? "YES" : "NO");
    add_awaited(lines, log.awaited);
    if (log.refresh_due) lines.field("refresh_due", "YES: suspend and resume the mirror on any one node");
    add_recovering(lines, log.recovering);
    add_marks(lines, log.marks);
    add_members(lines, log.members);
    add_device(lines, log);
    add_pending(lines, log.pending);
    lines.field("requests", std::to_string(log.requests) + ", bad " + std::to_string(log.bad_requests));
    lines.field("rounds", log.rounds);
    lines.field("marked_ahead", log.marked_ahead);
    lines.field("recovered_here", log.recovered_here);
    lines.field("events", std::to_string(log.state_ordinal) + ", digest " + hexadecimal(log.state_digest));
}

}  // namespace

std::vector<std::string> format_status(const StatusSnapshot& snapshot) {
    Lines lines;
    for (const auto& part : snapshot.actors) {
        if (const auto* missing = std::get_if<PartMissing>(&part)) {
            lines.heading("(an actor is missing here: " + missing->reason + ")");
            continue;
        }
        const auto& actor = std::get<ActorStatus>(part);
        lines.heading(actor.heading);
        for (const auto& [name, value] : actor.fields)
            lines.field(name, value);
    }
    lines.heading("LOG COMPONENT DEBUGGING::");
    lines.heading("Official log list: " + std::to_string(snapshot.logs.size()));
    for (const auto& part : snapshot.logs) {
        if (const auto* missing = std::get_if<PartMissing>(&part))
            lines.heading("(a log is missing here: " + missing->reason + ")");
        else
            add_log(lines, std::get<LogStatus>(part));
    }
    return lines.take();
}

}  // namespace cmirror
