// What `cmirrorctl status` prints.
#pragma once

#include <string>

#include "main/ctl/health.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror::ctl {

struct ScreenOptions {
    bool verbose = false;
    bool colour = false;
    /// Columns that there are; with fewer than the table needs it does without the uuids. 0: any number.
    std::size_t width = 0;
};

/// Two lines about the node, a row for every log, and what is wrong; `verbose` adds a part for every log.
std::string status_screen(const StatusSnapshot& snapshot, const LocalMirrors& mirrors, ScreenOptions options);

/// Spaces before what is inside of something; -1: all in one line.
enum class Indent : int { one_line = -1, readable = 2 };

/// One JSON object: the daemon's status `text`, with the names and legs of the devices, whether all is healthy, the
/// problems, and the mirrors that the daemon does not know yet. Invariant: unpack_status() took `text`.
std::string status_document(const std::string& text, const StatusSnapshot& snapshot, const LocalMirrors& mirrors,
                            Indent indent = Indent::readable);

/// Copies under way: "3 at 12.0/s, 3s left".
std::string recovery_text(const LogStatus& log);

}  // namespace cmirror::ctl
