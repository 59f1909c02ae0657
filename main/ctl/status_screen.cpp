#include "main/ctl/status_screen.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "main/ctl/text.hpp"
#include "messages/invariant.hpp"

namespace cmirror::ctl {
namespace {

/// Entries of a list that are shown.
constexpr std::size_t listed_max = 16;

std::string hexadecimal(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

std::string members_text(const LogStatus& log) {
    std::string text;
    for (const auto& member : log.members) {
        text += (text.empty() ? "" : " ") + std::to_string(member.id.node);
        if (member.server) text += "*";
        if (!member.valid) text += "?";
        if (member.legacy) text += "(legacy)";
    }
    return text.empty() ? "-" : text;
}

std::string device_text(const LogStatus& log) {
    if (!log.device) return "none";
    return log.device->name + (log.device->failed ? " FAILED" : " ok");
}

std::string header(const StatusSnapshot& snapshot, std::size_t logs, bool healthy, bool colour) {
    const auto yes = [&](std::string_view field, std::string_view good, std::string_view bad) {
        const auto value = field_of(snapshot, "cluster", field);
        return value == "YES" ? std::string(good) : value == "NO" ? paint(bad, Colour::red, colour) : "unknown";
    };
    std::string text = "node " + std::to_string(snapshot.daemon.node) + ", cmirrord " + snapshot.daemon.version + ": " +
                       (healthy ? paint("healthy", Colour::green, colour) : paint("degraded", Colour::red, colour)) +
                       "\n";
    text += "cluster: " + yes("connected", "connected", "NOT CONNECTED") + ", " + yes("quorum", "quorate", "NO QUORUM");
    if (const auto nodes = field_of(snapshot, "cluster", "nodes"); !nodes.empty())
        text += ", " + nodes + (nodes == "1" ? " node" : " nodes");
    return text + "; " + std::to_string(logs) + (logs == 1 ? " log" : " logs") + "\n";
}

/// Mirrors that are active here, but whose kernel has not asked since the daemon was started.
LocalMirrors unasked_of(const StatusSnapshot& snapshot, const LocalMirrors& mirrors) {
    auto left = mirrors;
    for (const auto& part : snapshot.logs)
        if (const auto* log = std::get_if<LogStatus>(&part)) left.erase(std::string(log->uuid.text()));
    return left;
}

std::vector<std::string> row_of(const LogStatus& log, const LocalMirrors& mirrors) {
    const auto name = name_of(log, mirrors);
    return {name == log.uuid.text() ? "-" : name,
            std::string(log.uuid.text()),
            log.state,
            percent(log.sync_count, log.region_count),
            std::to_string(log.dirty_count),
            recovery_text(log),
            device_text(log),
            members_text(log)};
}

std::string marks_text(const MarksOfOwner& marks) {
    std::string text = "node " + std::to_string(marks.owner.node) + " luid " + hexadecimal(marks.owner.luid) + ": ";
    text += marks.everything ? "every region (its marks are not known)" : std::to_string(marks.count);
    for (std::size_t i = 0; i < marks.sample.size(); ++i)
        text += (i == 0 ? ", regions " : " ") + std::to_string(marks.sample[i]);
    if (marks.sample.size() < marks.count && !marks.sample.empty()) text += " ...";
    return text + (marks.present ? "" : ", AWAY");
}

std::string run_text(const RecoveringRun& run) {
    const auto first = std::to_string(run.first);
    return run.count <= 1 ? "region " + first : "regions " + first + " to " + std::to_string(run.first + run.count - 1);
}

void add_list(std::string& text, const char* title, const std::vector<std::string>& items) {
    const std::string margin(14, ' ');
    std::string head = "  " + std::string(title) + ":";
    head.resize(margin.size(), ' ');
    if (items.empty()) text += head + "none\n";
    for (std::size_t i = 0; i < std::min(items.size(), listed_max); ++i)
        text += (i == 0 ? head : margin) + items[i] + "\n";
    if (items.size() > listed_max) text += margin + "... " + std::to_string(items.size() - listed_max) + " more\n";
}

/// "12, mean 0.4ms, 99% below 3ms".
std::string times_text(const LatencyHistogram& times) {
    if (times.count() == 0) return "0";
    char text[96];
    const auto mean_ms = static_cast<double>(times.sum_ns) / static_cast<double>(times.count()) / 1e6;
    const auto bound_ms = static_cast<double>(times.below_us(0.99)) / 1e3;
    std::snprintf(text, sizeof text, "%llu, mean %.3gms, 99%% ", static_cast<unsigned long long>(times.count()),
                  mean_ms);
    const std::string head = text;
    if (bound_ms == 0) return head + "not below 10s";
    std::snprintf(text, sizeof text, "below %.3gms", bound_ms);
    return head + text;
}

std::string request_times(const StatusSnapshot& snapshot) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& part : snapshot.actors)
        if (const auto* actor = std::get_if<ActorStatus>(&part))
            for (const auto& [type, times] : actor->times)
                rows.push_back({"  " + type, times_text(times)});
    return rows.empty() ? "" : "\nrequests of the kernel, until they were answered\n" + table(rows, {});
}

std::string_view health_text(const Leg& leg) {
    return leg.failed() ? "failed" : leg.health == 'A' ? "ok" : "unknown";
}

void add_legs(std::string& text, const LogStatus& log, const LocalMirrors& mirrors) {
    const auto found = mirrors.find(std::string(log.uuid.text()));
    if (found == mirrors.end() || found->second.legs.empty()) return;
    std::vector<std::string> items;
    for (const auto& leg : found->second.legs)
        items.push_back(leg.device + (leg.failed()        ? " FAILED (" + std::string(what_failed(leg.health)) + ")"
                                      : leg.health == 'A' ? " ok"
                                                          : ""));
    add_list(text, "legs", items);
}

std::string details(const LogStatus& log, const LocalMirrors& mirrors) {
    std::string text = "\n" + name_of(log, mirrors) + "\n";
    add_list(text, "log",
             {log.log_type + ", luid " + hexadecimal(log.luid) + ", " + std::to_string(log.region_count) +
              " regions of " + std::to_string(log.region_size_sectors) + " sectors"});
    add_legs(text, log, mirrors);
    std::vector<std::string> items;
    for (const auto& marks : log.marks)
        items.push_back(marks_text(marks));
    add_list(text, "marks", items);
    items.clear();
    for (const auto& run : log.recovering)
        items.push_back("node " + std::to_string(run.owner.node) + ": " + run_text(run));
    add_list(text, "recovering", items);
    items.clear();
    for (const auto& request : log.pending)
        items.push_back(request.type + " (seq " + std::to_string(request.seq) + "), for " +
                        seconds_text(request.waited_ms));
    add_list(text, "pending", items);
    add_list(
        text, "counters",
        {std::to_string(log.requests) + " requests (" + std::to_string(log.bad_requests) + " bad), " +
         std::to_string(log.rounds) + " rounds, " + std::to_string(log.recovered_here) + " regions recovered here"});
    add_list(text, "round time", {times_text(log.round_time)});
    if (log.device)
        add_list(text, "log device",
                 {log.device->name + ", " + std::to_string(log.device->writes) + " writes, " +
                  std::to_string(log.device->bytes_written) + " bytes"});
    return text;
}

void add_local(nlohmann::ordered_json& log, const LocalMirror& mirror) {
    log["name"] = mirror.name;
    auto& legs = log["legs"] = nlohmann::ordered_json::array();
    for (const auto& leg : mirror.legs) {
        nlohmann::ordered_json json{{"device", leg.device}, {"health", std::string(health_text(leg))}};
        if (leg.failed()) json["what-failed"] = std::string(what_failed(leg.health));
        legs.push_back(std::move(json));
    }
}

/// The table of logs, without the column of uuids if it would be wider than that.
std::string table_within(std::size_t width, std::vector<std::vector<std::string>> rows) {
    auto text = table(rows, {3, 4});
    // As wide as its widest line; a cell of the last column may be shorter.
    std::istringstream in(text);
    std::size_t widest = 0;
    for (std::string line; std::getline(in, line);)
        widest = std::max(widest, line.size());
    if (width == 0 || widest <= width) return text;
    constexpr std::size_t shortened = 16;
    for (auto& row : rows) {
        if (row[0] == "-") row[0] = row[1].size() > shortened ? row[1].substr(0, shortened - 3) + "..." : row[1];
        row.erase(row.begin() + 1);
    }
    return table(rows, {2, 3});
}

std::string problem_lines(const std::vector<Problem>& problems, bool colour) {
    std::string text;
    for (const auto& problem : problems) {
        text +=
            (problem.where.empty() ? "" : problem.where + ": ") + paint(problem.what, Colour::yellow, colour) + "\n";
        if (!problem.advice.empty()) text += "    -> " + problem.advice + "\n";
    }
    return text.empty() ? text : "\n" + text;
}

}  // namespace

std::string recovery_text(const LogStatus& log) {
    std::uint64_t regions = 0;
    for (const auto& run : log.recovering)
        regions += run.count;
    if (regions == 0) return "-";
    if (log.sync_rate <= 0) return std::to_string(regions);
    char rate[32];
    std::snprintf(rate, sizeof rate, "%.1f", log.sync_rate);
    const auto left = static_cast<double>(log.region_count - std::min(log.sync_count, log.region_count));
    return std::to_string(regions) + " at " + rate + "/s, " + duration(left / log.sync_rate) + " left";
}

std::string status_screen(const StatusSnapshot& snapshot, const LocalMirrors& mirrors, ScreenOptions options) {
    const auto problems = problems_of(snapshot, mirrors);
    std::string text = header(snapshot, snapshot.logs.size(), problems.empty(), options.colour);
    std::vector<std::vector<std::string>> rows{
        {"NAME", "UUID", "STATE", "IN SYNC", "DIRTY", "RECOVERING", "LOG DEVICE", "MEMBERS"}};
    for (const auto& part : snapshot.logs)
        if (const auto* log = std::get_if<LogStatus>(&part)) rows.push_back(row_of(*log, mirrors));
    for (const auto& [uuid, mirror] : unasked_of(snapshot, mirrors))
        rows.push_back({mirror.name, uuid, "unasked", "-", "-", "-", "-", "-"});
    if (rows.size() > 1) text += "\n" + table_within(options.width, std::move(rows));
    text += problem_lines(problems, options.colour);
    if (!options.verbose) return text;
    for (const auto& part : snapshot.logs)
        if (const auto* log = std::get_if<LogStatus>(&part)) text += details(*log, mirrors);
    return text + request_times(snapshot);
}

std::string status_document(const std::string& text, const StatusSnapshot& snapshot, const LocalMirrors& mirrors,
                            Indent indent) {
    auto json = nlohmann::ordered_json::parse(text, nullptr, false);
    CMIRROR_INVARIANT(json.is_object());
    const auto problems = problems_of(snapshot, mirrors);
    json["healthy"] = problems.empty();
    auto& list = json["problems"] = nlohmann::ordered_json::array();
    for (const auto& problem : problems)
        list.push_back({{"mirror", problem.where}, {"what", problem.what}, {"advice", problem.advice}});
    for (auto& log : json["logs"])
        if (const auto uuid = log.find("uuid"); uuid != log.end())
            if (const auto found = mirrors.find(uuid->get<std::string>()); found != mirrors.end())
                add_local(log, found->second);
    auto& unasked = json["unasked-mirrors"] = nlohmann::ordered_json::array();
    for (const auto& [uuid, mirror] : unasked_of(snapshot, mirrors))
        unasked.push_back({{"name", mirror.name}, {"uuid", uuid}});
    return json.dump(static_cast<int>(indent), ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace cmirror::ctl
