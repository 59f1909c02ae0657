// The commands of cmirrorctl that ask the daemon: each prints, and gives the exit code.
#pragma once

#include <string>

#include "main/ctl/exit_code.hpp"
#include "main/ctl/health.hpp"
#include "main/ctl/mirrors.hpp"
#include "main/ctl/status_screen.hpp"
#include "messages/device_mapper.hpp"
#include "messages/identity.hpp"
#include "messages/system_facts.hpp"

namespace cmirror::ctl {

/// What every command needs.
struct Context {
    /// Of the daemon's control socket.
    std::string socket;
    DeviceMapper* devices = nullptr;
    DiskInspector* disks = nullptr;
    std::string tab = "/etc/cmirrortab";
    /// Of this program.
    std::string version;
    bool json = false;
    bool colour = false;
};

/// "cmirrorctl: ..." on standard error.
void complain(const std::string& what);

/// The exit code when the daemon does not answer: it does not run, or this user must not ask.
int code_of_silence(const Context& context);

/// One JSON object that says so.
std::string silence_document(const Context& context, const std::string& why, Indent indent);

/// This node's mirrors; one whose line of the tab cannot be read counts as one that has none.
LocalMirrors mirrors_of(const Context& context, const StatusSnapshot& snapshot, AskLegs ask);

/// The daemon's snapshot, or why it cannot be asked.
Result<StatusSnapshot, std::string> snapshot_of(const Context& context);
MirrorTools tools_of(const Context& context);
/// Prints what was done, or why not.
int finish(const Context& context, const Outcome& outcome);
int show_status(const Context& context, bool verbose);
int show_events(const Context& context);
/// `textfile`: empty for the standard output, else a file that is replaced as a whole.
int show_metrics(const Context& context, const std::string& textfile);
int check(const Context& context, SystemInspector& system);
int tell_node_gone(const Context& context, NodeId node);

}  // namespace cmirror::ctl
