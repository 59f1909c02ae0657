// The commands of cmirrorctl that ask the daemon: each prints, and gives the exit code.
#pragma once

#include <string>

#include "main/ctl/health.hpp"
#include "messages/device_mapper.hpp"
#include "messages/identity.hpp"

namespace cmirror::ctl {

/// cmirrorctl(8), "EXIT CODES".
enum ExitCode : int {
    /// Healthy, or done.
    success = 0,
    /// Degraded, or it failed.
    failed = 1,
    usage_error = 2,
    not_running = 3,
};

/// What every command needs.
struct Context {
    /// Of the daemon's control socket.
    std::string socket;
    DeviceMapper* devices = nullptr;
    bool json = false;
    bool colour = false;
};

/// "cmirrorctl: ..." on standard error.
void complain(const std::string& what);

/// Names by the uuid of the log; none if the devices cannot be listed.
MirrorNames mirror_names(DeviceMapper& devices);

int show_status(const Context& context, bool verbose);
int tell_node_gone(const Context& context, NodeId node);

}  // namespace cmirror::ctl
