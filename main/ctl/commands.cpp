#include "main/ctl/commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "adapters/control_socket/unix_control_socket.hpp"
#include "main/ctl/check_screen.hpp"
#include "main/ctl/metrics.hpp"
#include "main/ctl/whole_file.hpp"
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
    if (context.json) std::fputs(silence_document(context, why, Indent::readable).c_str(), stdout);
    return code_of_silence(context);
}

std::set<std::string> active_names(DeviceMapper& devices) {
    std::set<std::string> names;
    const auto mirrors = devices.mirrors();
    if (!mirrors) return names;
    for (const auto& mirror : *mirrors)
        names.insert(mirror.name);
    return names;
}

/// Empty: it may be gone.
std::string why_not_gone(const StatusSnapshot& snapshot, NodeId node) {
    const auto name = "node " + std::to_string(node);
    if (snapshot.daemon.node == node) return name + " is this node";
    std::istringstream nodes(field_of(snapshot, "cluster", "node-list"));
    for (NodeId one = 0; nodes >> one;)
        if (one == node)
            return name +
                   " is in the cluster at this moment, nothing was done: have it fenced, or its power cut, and try "
                   "again when corosync has lost it (\"corosync-quorumtool\")";
    return {};
}

int not_done(const Context& context, const std::string& why) {
    if (context.json) print({{"version", control_version}, {"error", why}});
    return failed;
}

int refused(const Context& context, const std::string& why) {
    complain("cmirrord refuses: " + why);
    return not_done(context, why);
}

}  // namespace

int code_of_silence(const Context& context) {
    // Somebody who must not ask does not know whether it runs.
    return ::access(context.socket.c_str(), W_OK) != 0 && errno == EACCES ? failed : not_running;
}

std::string silence_document(const Context& context, const std::string& why, Indent indent) {
    nlohmann::ordered_json json{{"version", control_version}};
    if (code_of_silence(context) == not_running) json["running"] = false;
    json["error"] = why;
    return json.dump(static_cast<int>(indent), ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void complain(const std::string& what) {
    std::fprintf(stderr, "cmirrorctl: %s\n", what.c_str());
}

LocalMirrors mirrors_of(const Context& context, const StatusSnapshot& snapshot, AskLegs ask) {
    const auto tab = load_tab(context.tab);
    return local_mirrors(*context.devices, tab ? *tab : Cmirrortab{}, snapshot, ask);
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
    const auto mirrors = mirrors_of(context, *snapshot, AskLegs::of_all);
    const auto text = context.json ? status_document(*answer, *snapshot, mirrors)
                                   : status_screen(*snapshot, mirrors, {verbose, context.colour});
    std::fputs(text.c_str(), stdout);
    return problems_of(*snapshot, mirrors).empty() ? success : failed;
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
    const auto mirrors = snapshot ? mirrors_of(context, *snapshot, AskLegs::of_all) : LocalMirrors{};
    const auto text = !snapshot      ? metrics_text_down()
                      : context.json ? status_document(*answer, *snapshot, mirrors)
                                     : metrics_text(*snapshot, mirrors);
    const int code = snapshot ? success : code_of_silence(context);
    if (textfile.empty()) {
        std::fputs(text.c_str(), stdout);
        return code;
    }
    // The collector is another user.
    const auto written = replace_file(textfile, text, 0644);
    if (written) return code;
    complain(written.error());
    return failed;
}

int check(const Context& context, SystemInspector& system) {
    const auto snapshot = snapshot_of(context);
    auto findings = findings_of(system.inspect(), snapshot, context.version);
    std::ranges::move(findings_of_tab(load_tab(context.tab), active_names(*context.devices)),
                      std::back_inserter(findings));
    const auto text = context.json ? check_document(findings) : check_screen(findings, context.colour);
    std::fputs(text.c_str(), stdout);
    if (!snapshot) return code_of_silence(context);
    for (const auto& finding : findings)
        if (!finding.good) return failed;
    return success;
}

int tell_node_gone(const Context& context, NodeId node) {
    const auto state = ask(context, StatusRequest{});
    if (!state) return unreachable(context, state.error());
    const auto snapshot = unpack_status(*state);
    if (!snapshot) return refused(context, snapshot.error());
    if (const auto why = why_not_gone(*snapshot, node); !why.empty()) {
        complain(why);
        return not_done(context, why);
    }
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
