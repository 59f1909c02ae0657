// What the daemon must be allowed to do.
#pragma once

#include <string>

#include "messages/result.hpp"

namespace cmirror {

/// The capabilities that are missing (spec/kernel.md, "Transport"), and what to do about it.
struct MissingPrivileges {
    bool net_admin = false;
    bool sys_admin = false;
    /// One line.
    std::string text;
};

/// Checks that CAP_NET_ADMIN and CAP_SYS_ADMIN are effective, in the user namespace that counts for the kernel's
/// connector. Without the second one the kernel would drop every answer without a word.
Result<void, MissingPrivileges> check_privileges();

/// Gives up, for good and for every later thread and program, all rights but CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_IPC_LOCK
/// and CAP_SYS_NICE; of these it keeps what it has. Call it before any other thread exists. An error is a line of text.
Result<void, std::string> drop_privileges();

}  // namespace cmirror
