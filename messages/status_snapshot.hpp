// One snapshot of the whole daemon: what SIGUSR1 logs and the control socket tells.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "messages/identity.hpp"
#include "messages/log_status.hpp"

namespace cmirror {

struct DaemonIdentity {
    /// Of the program, e.g. "1.0.0".
    std::string version;
    /// 0: not known.
    NodeId node = 0;

    friend bool operator==(const DaemonIdentity&, const DaemonIdentity&) = default;
};

/// A part that has not come: why.
struct PartMissing {
    std::string reason = "no answer";

    friend bool operator==(const PartMissing&, const PartMissing&) = default;
};

struct StatusSnapshot {
    DaemonIdentity daemon;
    /// One entry for every actor asked.
    std::vector<std::variant<PartMissing, ActorStatus>> actors;
    std::vector<std::variant<PartMissing, LogStatus>> logs;

    friend bool operator==(const StatusSnapshot&, const StatusSnapshot&) = default;
};

}  // namespace cmirror
