// cmirrorctl: what an administrator or a fencing agent asks the daemon of this node.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>

#include "adapters/device_mapper/linux_device_mapper.hpp"
#include "main/ctl/commands.hpp"
#include "main/options.hpp"

namespace {

namespace ctl = cmirror::ctl;

/// https://no-color.org
bool wants_colour() {
    const char* no = std::getenv("NO_COLOR");
    return ::isatty(STDOUT_FILENO) == 1 && (no == nullptr || *no == '\0');
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Shows and manages the cluster mirrors of this node.", "cmirrorctl"};
    app.set_version_flag("--version", CMIRROR_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    cmirror::LinuxDeviceMapper devices;
    ctl::Context context{.socket = std::string(cmirror::control_socket_path), .devices = &devices};
    context.colour = wants_colour();
    app.add_option("--socket", context.socket, "where the daemon listens")->capture_default_str();
    app.add_flag("--json", context.json, "print JSON");

    bool verbose = false;
    auto* status = app.add_subcommand("status", "Show the node, its mirrors, and what is wrong with them.");
    status->add_flag("-v,--verbose", verbose, "show marks, recovery, pending requests and counters as well");

    cmirror::NodeId node = 0;
    auto* gone = app.add_subcommand(
        "node-gone",
        "Give your word that a node is dead: that it was fenced, or that its power is off. The regions it was "
        "writing are then recovered by the others. If it still writes, data is lost.");
    gone->add_option("NODEID", node, "its corosync node id")->required()->check(CLI::Range(1U, 0xffffffffU));

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? ctl::success : ctl::usage_error;
    }
    if (status->parsed()) return ctl::show_status(context, verbose);
    return ctl::tell_node_gone(context, node);
}
