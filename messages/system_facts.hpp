// What the daemon needs of a system, and whether it is there.
#pragma once

#include <string>

#include "messages/ports.hpp"

namespace cmirror {

struct SystemFacts {
    /// As uname(2) names it.
    std::string kernel;
    bool root = false;
    /// What to do about capabilities that root lacks here, as in a container; empty: it has all that are needed.
    std::string missing_rights = {};
    /// Kernel modules that are loaded or built in, or could be loaded.
    bool dm_mirror = false;
    bool dm_log_userspace = false;
    /// The netlink connector (CONFIG_CONNECTOR).
    bool connector = false;
    /// A corosync process runs.
    bool corosync = false;

    friend bool operator==(const SystemFacts&, const SystemFacts&) = default;
};

class SystemInspector : public Port {
  public:
    virtual SystemFacts inspect() = 0;
};

}  // namespace cmirror
