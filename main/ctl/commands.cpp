#include "main/ctl/commands.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "adapters/control_socket/unix_control_socket.hpp"
#include "main/ctl/check_screen.hpp"
#include "main/ctl/metrics.hpp"
#include "main/ctl/mirror_table.hpp"
#include "main/ctl/status_screen.hpp"
#include "messages/wire_control.hpp"
#include "messages/wire_status.hpp"

namespace cmirror::ctl {
namespace {

constexpr int timeout_ms = 5000;

Result<std::string, std::string> ask(const Context& context, const ControlRequest& request) {
    return ask_control_socket(context.socket, pack_control_request(request), timeout_ms);
}

void print(const nlohmann::ordered_json& json) {
    std::printf("%s\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

/// The daemon cannot be asked, or this user must not.
int unreachable(const Context& context, const std::string& why) {
    complain(why);
    const int code = code_of_silence(context);
    nlohmann::ordered_json json{{"version", control_version}};
    if (code == not_running) json["running"] = false;
    json["error"] = why;
    if (context.json) print(json);
    return code;
}

int refused(const Context& context, const std::string& why) {
    complain("cmirrord refuses: " + why);
    if (context.json) print({{"version", control_version}, {"error", why}});
    return failed;
}

}  // namespace

int code_of_silence(const Context& context) {
    // Somebody who must not ask does not know whether it runs.
    return ::access(context.socket.c_str(), W_OK) != 0 && errno == EACCES ? failed : not_running;
}

void complain(const std::string& what) {
    std::fprintf(stderr, "cmirrorctl: %s\n", what.c_str());
}

MirrorNames mirror_names(DeviceMapper& devices) {
    MirrorNames names;
    const auto mirrors = devices.mirrors();
    if (!mirrors) return names;
    for (const auto& mirror : *mirrors)
        if (const auto table = parse_table(mirror.parameters)) names.emplace(table->log_uuid, mirror.name);
    return names;
}

Result<StatusSnapshot, std::string> snapshot_of(const Context& context) {
    const auto answer = ask(context, StatusRequest{});
    if (!answer) return Failure<std::string>(answer.error());
    return unpack_status(*answer);
}

MirrorTools tools_of(const Context& context) {
    return {.devices = context.devices, .disks = context.disks, .tab_path = context.tab, .status = [context] {
                return snapshot_of(context);
            }};
}

int finish(const Context& context, const Outcome& outcome) {
    if (!outcome) complain(outcome.error().text);
    if (context.json) {
        nlohmann::ordered_json json{{"version", control_version}, {"done", outcome.has_value()}};
        json[outcome ? "text" : "error"] = outcome ? *outcome : outcome.error().text;
        print(json);
    } else if (outcome) {
        std::printf("%s\n", outcome->c_str());
    }
    return outcome ? success : outcome.error().code;
}

int show_status(const Context& context, bool verbose) {
    const auto answer = ask(context, StatusRequest{});
    if (!answer) return unreachable(context, answer.error());
    const auto snapshot = unpack_status(*answer);
    if (!snapshot) return refused(context, snapshot.error());
    const auto names = mirror_names(*context.devices);
    const auto text = context.json ? status_document(*answer, *snapshot, names)
                                   : status_screen(*snapshot, names, {verbose, context.colour});
    std::fputs(text.c_str(), stdout);
    return problems_of(*snapshot, names).empty() ? success : failed;
}

int show_events(const Context& context) {
    const auto answer = ask(context, EventsRequest{});
    if (!answer) return unreachable(context, answer.error());
    const auto events = unpack_events(*answer);
    if (!events) return refused(context, events.error());
    if (context.json) {
        print({{"version", control_version}, {"events", *events}});
        return success;
    }
    for (const auto& event : *events)
        std::printf("%s\n", event.c_str());
    return success;
}

int show_metrics(const Context& context, const std::string& textfile) {
    const auto answer = ask(context, StatusRequest{});
    if (!answer && context.json) return unreachable(context, answer.error());
    const auto snapshot = answer ? unpack_status(*answer) : Failure<std::string>(answer.error());
    if (answer && !snapshot) return refused(context, snapshot.error());
    if (!snapshot) complain(snapshot.error());
    const auto names = mirror_names(*context.devices);
    const auto text = !snapshot      ? metrics_text_down()
                      : context.json ? status_document(*answer, *snapshot, names)
                                     : metrics_text(*snapshot, names);
    const int code = snapshot ? success : code_of_silence(context);
    if (textfile.empty()) {
        std::fputs(text.c_str(), stdout);
        return code;
    }
    // The collector must never read half a file.
    const auto draft = textfile + ".new";
    std::ofstream out(draft, std::ios::trunc);
    out << text << std::flush;
    if (!out || std::rename(draft.c_str(), textfile.c_str()) != 0) {
        complain(textfile + ": cannot be written");
        return failed;
    }
    return code;
}

int check(const Context& context, SystemInspector& system) {
    const auto snapshot = snapshot_of(context);
    const auto findings = findings_of(system.inspect(), snapshot, context.version);
    const auto text = context.json ? check_document(findings) : check_screen(findings, context.colour);
    std::fputs(text.c_str(), stdout);
    if (!snapshot) return code_of_silence(context);
    for (const auto& finding : findings)
        if (!finding.good) return failed;
    return success;
}

int tell_node_gone(const Context& context, NodeId node) {
    const auto answer = ask(context, NodeGone{node});
    if (!answer) return unreachable(context, answer.error());
    const auto reply = unpack_control_reply(*answer);
    if (!reply) return refused(context, reply.error());
    if (!reply->error.empty()) return refused(context, reply->error);
    if (context.json)
        std::printf("%s\n", answer->c_str());
    else if (reply->logs == 0)
        std::printf("node %u is gone: no mirror is active on this node, so nobody here had to be told\n", node);
    else
        std::printf("node %u is gone: told to %llu log%s of this node\n", node,
                    static_cast<unsigned long long>(reply->logs), reply->logs == 1 ? "" : "s");
    return success;
}

}  // namespace cmirror::ctl
