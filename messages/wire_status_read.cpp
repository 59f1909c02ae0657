// A status, read by whoever asked for it. A key that is absent or of another kind leaves what is there.
#include <charconv>
#include <nlohmann/json.hpp>

#include "messages/wire_control.hpp"
#include "messages/wire_status.hpp"

namespace cmirror {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& value) {
    if (value.is_array()) {
        std::string text;
        for (const auto& item : value)
            text += (text.empty() ? "" : " ") + text_of(item);
        return text;
    }
    if (value.is_boolean()) return value.get<bool>() ? "YES" : "NO";
    if (value.is_string()) return value.get<std::string>();
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void take(const Json& json, const char* key, bool& out) {
    if (const auto found = json.find(key); found != json.end() && found->is_boolean()) out = found->get<bool>();
}

void take(const Json& json, const char* key, std::string& out) {
    if (const auto found = json.find(key); found != json.end() && found->is_string()) out = found->get<std::string>();
}

void take(const Json& json, const char* key, double& out) {
    if (const auto found = json.find(key); found != json.end() && found->is_number()) out = found->get<double>();
}

template <class Number>
requires std::is_unsigned_v<Number>
void take(const Json& json, const char* key, Number& out) {
    if (const auto found = json.find(key); found != json.end() && found->is_number_unsigned())
        out = found->get<Number>();
}

void take_hex(const Json& json, const char* key, std::uint64_t& out) {
    std::string text;
    take(json, key, text);
    if (text.starts_with("0x")) std::from_chars(text.data() + 2, text.data() + text.size(), out, 16);
}

void unpack(const Json& json, LatencyHistogram& out) {
    take(json, "sum-ns", out.sum_ns);
    const auto counts = json.find("counts");
    if (counts == json.end() || !counts->is_array() || counts->size() != out.counts.size()) return;
    for (std::size_t i = 0; i < out.counts.size(); ++i)
        if ((*counts)[i].is_number_unsigned()) out.counts[i] = (*counts)[i].get<std::uint64_t>();
}

void unpack(const Json& json, Owner& out) {
    take(json, "node", out.node);
    take_hex(json, "luid", out.luid);
}

void unpack(const Json& json, RecoveringRun& out) {
    unpack(json, out.owner);
    take(json, "first", out.first);
    take(json, "count", out.count);
}

void unpack(const Json& json, MarksOfOwner& out) {
    unpack(json, out.owner);
    take(json, "count", out.count);
    take(json, "present", out.present);
    take(json, "everything", out.everything);
    if (const auto sample = json.find("sample"); sample != json.end() && sample->is_array())
        for (const auto& region : *sample)
            if (region.is_number_unsigned()) out.sample.push_back(region.get<RegionNumber>());
}

void unpack(const Json& json, MemberId& out) {
    take(json, "node", out.node);
    take(json, "process", out.process);
}

void unpack(const Json& json, MemberStatus& out) {
    unpack(json, out.id);
    take(json, "valid", out.valid);
    take(json, "server", out.server);
    take(json, "legacy", out.legacy);
    take(json, "version", out.version);
}

void unpack(const Json& json, DeviceStatus& out) {
    take(json, "name", out.name);
    take(json, "failed", out.failed);
    take(json, "last-error", out.last_error);
    take(json, "writes", out.writes);
    take(json, "bytes-written", out.bytes_written);
}

void unpack(const Json& json, PendingRequest& out) {
    take(json, "seq", out.seq);
    take(json, "type", out.type);
    take(json, "waited-ms", out.waited_ms);
}

template <class Part>
void unpack(const Json& json, std::variant<PartMissing, Part>& out);

template <class Item>
void take_list(const Json& json, const char* key, std::vector<Item>& out) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_array()) return;
    for (const auto& item : *found) {
        if (!item.is_object()) continue;
        unpack(item, out.emplace_back());
    }
}

void unpack(const Json& json, LogStatus& out) {
    std::string uuid;
    take(json, "uuid", uuid);
    out.uuid = Uuid::from_text(uuid).value_or(Uuid{});
    take_hex(json, "luid", out.luid);
    take(json, "state", out.state);
    take(json, "type", out.log_type);
    take(json, "region-size-sectors", out.region_size_sectors);
    take(json, "region-count", out.region_count);
    take(json, "sync-count", out.sync_count);
    take(json, "dirty-count", out.dirty_count);
    take(json, "in-sync-hint", out.in_sync_hint);
    take(json, "quorate", out.quorate);
    take_list(json, "awaited", out.awaited);
    take(json, "refresh-due", out.refresh_due);
    take(json, "sync-rate", out.sync_rate);
    take(json, "region-map", out.region_map);
    take_list(json, "recovering", out.recovering);
    take_list(json, "marks", out.marks);
    take_list(json, "members", out.members);
    if (const auto device = json.find("device"); device != json.end() && device->is_object())
        unpack(*device, out.device.emplace());
    take_list(json, "pending", out.pending);
    take(json, "requests", out.requests);
    take(json, "bad-requests", out.bad_requests);
    take(json, "rounds", out.rounds);
    take(json, "marked-ahead", out.marked_ahead);
    if (const auto times = json.find("round-time"); times != json.end() && times->is_object())
        unpack(*times, out.round_time);
    take(json, "recovered-here", out.recovered_here);
    take(json, "state-ordinal", out.state_ordinal);
    take_hex(json, "state-digest", out.state_digest);
}

void take_times(const Json& list, ActorStatus& out) {
    for (const auto& item : list) {
        if (!item.is_object()) continue;
        auto& [type, times] = out.times.emplace_back();
        take(item, "type", type);
        unpack(item, times);
    }
}

void unpack(const Json& json, ActorStatus& out) {
    for (const auto& [key, value] : json.items()) {
        if (key == "name")
            out.heading = text_of(value);
        else if (key == "times" && value.is_array())
            take_times(value, out);
        else
            out.fields.emplace_back(key, text_of(value));
    }
}

template <class Part>
void unpack(const Json& json, std::variant<PartMissing, Part>& out) {
    if (const auto missing = json.find("missing"); missing != json.end() && missing->is_string())
        out = PartMissing{missing->get<std::string>()};
    else
        unpack(json, out.template emplace<Part>());
}

}  // namespace

Result<StatusSnapshot, std::string> unpack_status(std::string_view text) {
    // Checks the version, and whether the daemon refused.
    const auto reply = unpack_control_reply(text);
    if (!reply) return Failure<std::string>(reply.error());
    if (!reply->error.empty()) return Failure<std::string>(reply->error);
    const auto json = Json::parse(text, nullptr, false);
    const auto daemon = json.find("daemon");
    if (daemon == json.end() || !daemon->is_object()) return Failure<std::string>("it is no status");
    StatusSnapshot snapshot;
    take(*daemon, "version", snapshot.daemon.version);
    take(*daemon, "node", snapshot.daemon.node);
    take_list(json, "components", snapshot.actors);
    take_list(json, "logs", snapshot.logs);
    return snapshot;
}

}  // namespace cmirror
