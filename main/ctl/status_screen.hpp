// What `cmirrorctl status` prints.
#pragma once

#include <string>

#include "main/ctl/health.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror::ctl {

struct ScreenOptions {
    bool verbose = false;
    bool colour = false;
};

/// Two lines about the node, a row for every log, and what is wrong; `verbose` adds a part for every log.
std::string status_screen(const StatusSnapshot& snapshot, const MirrorNames& names, ScreenOptions options);

/// One JSON object, indented: the daemon's status `text`, with the names of the devices, whether all is healthy, and
/// the problems. Invariant: unpack_status() took `text`.
std::string status_document(const std::string& text, const StatusSnapshot& snapshot, const MirrorNames& names);

/// Copies under way: "3 at 12.0/s, 3s left".
std::string recovery_text(const LogStatus& log);

}  // namespace cmirror::ctl
