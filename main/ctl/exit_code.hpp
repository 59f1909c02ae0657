// How cmirrorctl ends.
#pragma once

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

}  // namespace cmirror::ctl
