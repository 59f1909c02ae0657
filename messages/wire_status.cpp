#include "messages/wire_status.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <sstream>

#include "messages/wire_control.hpp"

namespace cmirror {
namespace {

using Json = nlohmann::ordered_json;

std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

/// "CLUSTER COMPONENT DEBUGGING::" -> "cluster".
std::string component_name(std::string_view heading) {
    std::string name(heading.substr(0, heading.find(' ')));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    return name;
}

std::string hyphenated(std::string name) {
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '_' || c == ' '; }, '-');
    return name;
}

/// Counters become numbers, "YES" and "NO" truth values.
Json value_of(const std::string& text) {
    if (text == "YES" || text == "NO") return text == "YES";
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size() && !text.empty()) return number;
    return text;
}

/// "1 2 3" of a field whose name ends so: an array of numbers.
constexpr std::string_view list_suffix = "-list";

Json numbers_of(const std::string& text) {
    auto numbers = Json::array();
    std::istringstream in(text);
    for (std::uint64_t number = 0; in >> number;)
        numbers.push_back(number);
    return numbers;
}

Json pack(const PartMissing& missing) {
    return {{"missing", missing.reason}};
}

Json pack(const LatencyHistogram& times) {
    return {{"sum-ns", times.sum_ns}, {"counts", times.counts}};
}

Json pack(const ActorStatus& actor) {
    Json json{{"name", component_name(actor.heading)}};
    for (const auto& [name, value] : actor.fields) {
        const auto key = hyphenated(name);
        json[key] = key.ends_with(list_suffix) ? numbers_of(value) : value_of(value);
    }
    for (const auto& [type, times] : actor.times) {
        Json item{{"type", type}};
        item.update(pack(times));
        json["times"].push_back(std::move(item));
    }
    return json;
}

Json pack(const Owner& owner) {
    return {{"node", owner.node}, {"luid", hex(owner.luid)}};
}

Json pack(const RecoveringRun& run) {
    Json json = pack(run.owner);
    json["first"] = run.first;
    json["count"] = run.count;
    return json;
}

Json pack(const MarksOfOwner& marks) {
    Json json = pack(marks.owner);
    json["count"] = marks.count;
    json["sample"] = marks.sample;
    json["present"] = marks.present;
    json["everything"] = marks.everything;
    return json;
}

Json pack(const MemberStatus& member) {
    return {{"node", member.id.node},  {"process", member.id.process}, {"valid", member.valid},
            {"server", member.server}, {"legacy", member.legacy},      {"version", member.version}};
}

Json pack(const DeviceStatus& device) {
    return {{"name", device.name},
            {"failed", device.failed},
            {"last-error", device.last_error},
            {"writes", device.writes},
            {"bytes-written", device.bytes_written}};
}

Json pack(const PendingRequest& request) {
    return {{"seq", request.seq}, {"type", request.type}, {"waited-ms", request.waited_ms}};
}

Json pack(MemberId member) {
    return {{"node", member.node}, {"process", member.process}};
}

template <class Item>
Json list_of(const std::vector<Item>& items) {
    auto list = Json::array();
    for (const auto& item : items)
        list.push_back(pack(item));
    return list;
}

Json pack(const LogStatus& log) {
    Json json{{"uuid", log.uuid.text()},
              {"luid", hex(log.luid)},
              {"state", log.state},
              {"type", log.log_type},
              {"region-size-sectors", log.region_size_sectors},
              {"region-count", log.region_count},
              {"sync-count", log.sync_count},
              {"dirty-count", log.dirty_count},
              {"in-sync-hint", log.in_sync_hint},
              {"quorate", log.quorate},
              {"awaited", list_of(log.awaited)},
              {"refresh-due", log.refresh_due},
              {"sync-rate", log.sync_rate},
              {"region-map", log.region_map},
              {"recovering", list_of(log.recovering)},
              {"marks", list_of(log.marks)},
              {"members", list_of(log.members)}};
    if (log.device) json["device"] = pack(*log.device);
    json["pending"] = list_of(log.pending);
    json["requests"] = log.requests;
    json["bad-requests"] = log.bad_requests;
    json["rounds"] = log.rounds;
    json["marked-ahead"] = log.marked_ahead;
    json["round-time"] = pack(log.round_time);
    json["recovered-here"] = log.recovered_here;
    json["state-ordinal"] = log.state_ordinal;
    json["state-digest"] = hex(log.state_digest);
    return json;
}

template <class Part>
Json list_of(const std::vector<std::variant<PartMissing, Part>>& parts) {
    auto list = Json::array();
    for (const auto& part : parts)
        list.push_back(std::visit([](const auto& one) { return pack(one); }, part));
    return list;
}

}  // namespace

std::string pack_status(const StatusSnapshot& snapshot) {
    const Json json{{"version", control_version},
                    {"daemon", {{"version", snapshot.daemon.version}, {"node", snapshot.daemon.node}}},
                    {"components", list_of(snapshot.actors)},
                    {"logs", list_of(snapshot.logs)}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cmirror
