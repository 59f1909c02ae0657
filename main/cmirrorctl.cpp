// cmirrorctl: what an administrator or a fencing agent asks the daemon of this node, and the mirrors of this node.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>

#include "adapters/device_mapper/linux_device_mapper.hpp"
#include "adapters/disk/linux_disk_inspector.hpp"
#include "adapters/disk/linux_system_inspector.hpp"
#include "main/ctl/commands.hpp"
#include "main/ctl/watch.hpp"
#include "main/options.hpp"

namespace {

namespace ctl = cmirror::ctl;

/// https://no-color.org
bool wants_colour() {
    const char* no = std::getenv("NO_COLOR");
    return ::isatty(STDOUT_FILENO) == 1 && (no == nullptr || *no == '\0');
}

/// Reads a size into sectors.
CLI::Option* add_size(CLI::App* app, const std::string& name, std::uint64_t& sectors, const std::string& text) {
    return app
        ->add_option_function<std::string>(
            name,
            [&sectors, name](const std::string& value) {
                const auto size = ctl::sectors_in(value);
                if (!size) throw CLI::ValidationError(name, size.error());
                sectors = *size;
            },
            text)
        ->type_name("SIZE");
}

/// What was typed, and what to do for it.
struct CommandLine {
    ctl::Context context;
    std::function<int()> run;
    bool verbose = false;
    cmirror::NodeId node = 0;
    ctl::CreateOrder create;
    ctl::ReplaceOrder replace;
    std::string name;
    bool all = false;
    bool sync = false;
    double interval_s = 1;
    std::string textfile;
};

void add_questions(CLI::App& app, CommandLine& line) {
    auto* status = app.add_subcommand("status", "Show the node, its mirrors, and what is wrong with them.");
    status->add_flag("-v,--verbose", line.verbose, "show marks, recovery, pending requests and counters as well");
    status->callback([&line] { line.run = [&line] { return ctl::show_status(line.context, line.verbose); }; });

    auto* watch = app.add_subcommand("watch", "Show the mirrors again and again, with a map of their regions.");
    watch->add_option("--interval", line.interval_s, "seconds between two looks")
        ->capture_default_str()
        ->check(CLI::Validator(
            [](std::string& text) {
                const bool good = CLI::Range(0.1, 3600.0)(text).empty();
                return good ? std::string{} : "\"" + text + "\" is not between 0.1 and 3600 seconds";
            },
            ""));
    watch->callback([&line] {
        line.run = [&line] {
            return ctl::watch(line.context, std::chrono::milliseconds(static_cast<int>(line.interval_s * 1000)));
        };
    });

    auto* dump = app.add_subcommand("dump", "Show what happened lately, from the daemon's memory.");
    dump->callback([&line] { line.run = [&line] { return ctl::show_events(line.context); }; });

    auto* metrics = app.add_subcommand("metrics", "Print counters and histograms for Prometheus.");
    metrics->add_option("--textfile", line.textfile, "write them to this file, for node_exporter's textfile collector")
        ->type_name("FILE");
    metrics->callback([&line] { line.run = [&line] { return ctl::show_metrics(line.context, line.textfile); }; });

    auto* check = app.add_subcommand("check", "Is everything set up on this node?");
    check->callback([&line] {
        line.run = [&line] {
            cmirror::LinuxSystemInspector system;
            return ctl::check(line.context, system);
        };
    });

    auto* gone = app.add_subcommand(
        "node-gone",
        "Give your word that a node is dead: that it was fenced, or that its power is off. The regions it was "
        "writing are then recovered by the others. If it still writes, data is lost.");
    gone->add_option("NODEID", line.node, "its corosync node id")->required()->check(CLI::Range(1U, 0xffffffffU));
    gone->callback([&line] { line.run = [&line] { return ctl::tell_node_gone(line.context, line.node); }; });
}

template <class Act>
void run_with_mirrors(CommandLine& line, Act act) {
    line.run = [&line, act] {
        ctl::Mirrors mirrors(ctl::tools_of(line.context));
        return ctl::finish(line.context, act(mirrors));
    };
}

void add_create(CLI::App& app, CommandLine& line) {
    auto* create = app.add_subcommand("create", "Make a mirror on this node, activate it, and add it to the tab.");
    auto& order = line.create;
    create->add_option("NAME", order.name, "of the mapped device")->required();
    create->add_option("--leg", order.legs, "a device to mirror on; twice or more")
        ->required()
        ->type_name("DEV")
        ->allow_extra_args(false);
    create->add_option("--log", order.log_device, "keep the log on this device as well")->type_name("DEV");
    add_size(create, "--size", order.sectors, "as 10G (default: that of the smallest leg)");
    add_size(create, "--region-size", order.region_sectors, "as 512K, a power of two (default: 512K or more)");
    create->add_option("--uuid", order.log_uuid, "of the log (default: CMIRROR-NAME)");
    auto* sync = create->add_flag("--sync", line.sync, "copy the first leg to the others (the default)");
    create->add_flag("--nosync", order.nosync, "the legs are equal already, or their contents do not matter")
        ->excludes(sync);
    create->add_flag("--force", order.force, "whatever is on the devices is lost");
    create->callback(
        [&line] { run_with_mirrors(line, [&line](ctl::Mirrors& mirrors) { return mirrors.create(line.create); }); });
}

void add_replace(CLI::App& app, CommandLine& line) {
    auto* replace = app.add_subcommand("replace-leg", "Put another device in the place of a leg, and fill it.");
    auto& order = line.replace;
    replace->add_option("NAME", order.name)->required();
    replace->add_option("OLD", order.old_leg, "the leg, as in the tab")->required();
    replace->add_option("NEW", order.new_leg, "the device that takes its place")->required();
    replace->add_flag(
        "--force", order.force,
        "whatever is on the new device, or on the old leg alone, is lost; also if the mirror is not active");
    replace->add_flag("--hold", order.hold, "stay suspended, for another node to do the same");
    replace->callback([&line] {
        run_with_mirrors(line, [&line](ctl::Mirrors& mirrors) { return mirrors.replace_leg(line.replace); });
    });
}

/// A command that takes NAME, or --all if there is a way to do it for all.
void add_named(CLI::App& app, CommandLine& line, const char* command, const char* text,
               ctl::Outcome (ctl::Mirrors::*one)(const std::string&), ctl::Outcome (ctl::Mirrors::*all)() = nullptr) {
    auto* sub = app.add_subcommand(command, text);
    auto* name = sub->add_option("NAME", line.name);
    if (all != nullptr)
        sub->add_flag("--all", line.all, "every mirror of the tab")->excludes(name);
    else
        name->required();
    sub->callback([&line, one, all] {
        if (line.name.empty() && !line.all) throw CLI::RequiredError("NAME or --all");
        run_with_mirrors(line, [&line, one, all](ctl::Mirrors& mirrors) {
            return line.all ? (mirrors.*all)() : (mirrors.*one)(line.name);
        });
    });
}

void add_mirrors(CLI::App& app, CommandLine& line) {
    using ctl::Mirrors;
    add_create(app, line);
    add_named(app, line, "activate", "Make mirrors of the tab available on this node.", &Mirrors::activate,
              &Mirrors::activate_all);
    add_named(app, line, "deactivate", "Take mirrors off this node; they stay in the tab.", &Mirrors::deactivate,
              &Mirrors::deactivate_all);
    add_named(app, line, "remove", "Take a mirror off this node and out of the tab.", &Mirrors::remove);
    add_named(app, line, "refresh", "Suspend and resume a mirror: it asks for resynchronisation again.",
              &Mirrors::refresh);
    add_replace(app, line);
}

std::string usage_message(const CLI::App* app, const CLI::Error& error) {
    std::string what = error.what();
    if (app->get_subcommands().empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
        std::string commands;
        for (const auto* command : app->get_subcommands(nullptr))
            commands += (commands.empty() ? "" : ", ") + command->get_name();
        const auto words = app->remaining();
        what = (words.empty() ? "no command is given" : "there is no command \"" + words.front() + "\"") +
               "; there are " + commands;
    }
    return "cmirrorctl: " + what + "\nRun with --help for more information.\n";
}

}  // namespace

int main(int argc, char** argv) try {
    CLI::App app{"Shows and manages the cluster mirrors of this node.", "cmirrorctl"};
    app.set_version_flag("--version", CMIRROR_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    app.failure_message(usage_message);
    cmirror::LinuxDeviceMapper devices;
    cmirror::LinuxDiskInspector disks;
    CommandLine line;
    line.context.socket = std::string(cmirror::control_socket_path);
    line.context.version = CMIRROR_VERSION;
    line.context.devices = &devices;
    line.context.disks = &disks;
    line.context.colour = wants_colour();
    app.add_option("--socket", line.context.socket, "where the daemon listens")->capture_default_str();
    app.add_option("--tab", line.context.tab, "the mirrors of this node")->capture_default_str();
    app.add_flag("--json", line.context.json, "print JSON");
    add_questions(app, line);
    add_mirrors(app, line);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? ctl::success : ctl::usage_error;
    }
    const int code = line.run();
    // A full disk must not pass for a status.
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    ctl::complain("the output cannot be written");
    return ctl::failed;
} catch (const std::exception& error) {
    std::fprintf(stderr, "cmirrorctl: %s\n", error.what());
    return ctl::failed;
}
