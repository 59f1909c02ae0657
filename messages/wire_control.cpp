#include "messages/wire_control.hpp"

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace cmirror {
namespace {

/// Nothing if `text` is not one JSON object of our version.
Result<nlohmann::json, std::string> object_of(std::string_view text) {
    auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return Failure<std::string>("it is not a JSON object");
    const auto version = json.find("version");
    if (version == json.end() || !version->is_number_integer() || *version != control_version)
        return Failure<std::string>("its version is not " + std::to_string(control_version) +
                                    ": use the cmirrorctl that belongs to this cmirrord");
    return json;
}

std::optional<std::uint64_t> number_at(const nlohmann::json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<std::uint64_t>();
}

std::string dump(const nlohmann::json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string pack_control_request(const ControlRequest& request) {
    struct Pack {
        nlohmann::json operator()(const NodeGone& gone) const {
            return {{"request", "node-gone"}, {"node", gone.node}};
        }
        nlohmann::json operator()(const StatusRequest&) const { return {{"request", "status"}}; }
        nlohmann::json operator()(const EventsRequest&) const { return {{"request", "events"}}; }
    };
    nlohmann::json json = std::visit(Pack{}, request);
    json["version"] = control_version;
    return dump(json);
}

Result<ControlRequest, std::string> unpack_control_request(std::string_view text) {
    const auto json = object_of(text);
    if (!json) return Failure<std::string>(json.error());
    const auto request = json->find("request");
    if (request == json->end() || !request->is_string()) return Failure<std::string>("it names no request");
    if (*request == "status") return StatusRequest{};
    if (*request == "events") return EventsRequest{};
    if (*request != "node-gone") return Failure<std::string>("unknown request " + dump(*request));
    const auto node = number_at(*json, "node");
    if (!node || *node == 0 || *node > std::numeric_limits<NodeId>::max())
        return Failure<std::string>("\"node\" is not a corosync node id");
    return NodeGone{static_cast<NodeId>(*node)};
}

std::string pack_events(const std::vector<std::string>& events) {
    return dump({{"version", control_version}, {"events", events}});
}

Result<std::vector<std::string>, std::string> unpack_events(std::string_view text) {
    const auto reply = unpack_control_reply(text);
    if (!reply) return Failure<std::string>(reply.error());
    if (!reply->error.empty()) return Failure<std::string>(reply->error);
    const auto json = nlohmann::json::parse(text, nullptr, false);
    const auto list = json.find("events");
    if (list == json.end() || !list->is_array()) return Failure<std::string>("it has no events");
    std::vector<std::string> events;
    for (const auto& event : *list)
        if (event.is_string()) events.push_back(event.get<std::string>());
    return events;
}

std::string pack_control_reply(const ControlReply& reply) {
    if (!reply.error.empty()) return dump({{"version", control_version}, {"error", reply.error}});
    return dump({{"version", control_version}, {"logs", reply.logs}});
}

Result<ControlReply, std::string> unpack_control_reply(std::string_view text) {
    const auto json = object_of(text);
    if (!json) return Failure<std::string>(json.error());
    ControlReply reply;
    if (const auto error = json->find("error"); error != json->end())
        reply.error = error->is_string() ? error->get<std::string>() : dump(*error);
    reply.logs = number_at(*json, "logs").value_or(0);
    return reply;
}

}  // namespace cmirror
