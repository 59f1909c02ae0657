// cmirrorctl: what an administrator or a fencing agent asks the daemon of this node.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "adapters/control_socket/unix_control_socket.hpp"
#include "main/options.hpp"
#include "messages/wire_control.hpp"

namespace {

constexpr int timeout_ms = 5000;
enum ExitCode : int { success = 0, failed = 1, not_running = 3 };

int tell_node_gone(const std::string& socket, cmirror::NodeId node) {
    const auto answer =
        cmirror::ask_control_socket(socket, cmirror::pack_control_request(cmirror::NodeGone{node}), timeout_ms);
    if (!answer) {
        std::fprintf(stderr, "cmirrorctl: %s\n", answer.error().c_str());
        return not_running;
    }
    const auto reply = cmirror::unpack_control_reply(*answer);
    const std::string error = reply ? reply->error : reply.error();
    if (!error.empty()) {
        std::fprintf(stderr, "cmirrorctl: cmirrord refuses: %s\n", error.c_str());
        return failed;
    }
    std::printf("node %u is gone: told to %llu log%s of this node\n", node,
                static_cast<unsigned long long>(reply->logs), reply->logs == 1 ? "" : "s");
    return success;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Asks the cmirrord of this node.", "cmirrorctl"};
    app.require_subcommand(1);
    std::string socket{cmirror::control_socket_path};
    app.add_option("--socket", socket, "where the daemon listens")->capture_default_str();

    cmirror::NodeId node = 0;
    auto* gone = app.add_subcommand(
        "node-gone",
        "Give your word that a node is dead: that it was fenced, or that its power is off. The regions it was "
        "writing are then recovered by the others. If it still writes, data is lost.");
    gone->add_option("NODEID", node, "its corosync node id")->required()->check(CLI::Range(1U, 0xffffffffU));

    CLI11_PARSE(app, argc, argv);
    return tell_node_gone(socket, node);
}
