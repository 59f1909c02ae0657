// A snapshot as one JSON object, with hyphenated keys. Luids and digests are hexadecimal text: they do not fit the
// numbers of every JSON reader.
//
// Times are counts of the buckets of LatencyHistogram::bounds_us (microseconds), and a sum.
//
//   {"version": 1, "daemon": {"version": "1.0.0", "node": 1},
//    "components": [{"name": "cluster", "quorum": true, "nodes": 3, ...}, {"missing": "no answer"}],
//    "logs": [{"uuid": "...", "luid": "0x1", "state": "active", ...}, {"missing": "no answer"}]}
#pragma once

#include <string>
#include <string_view>

#include "messages/result.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror {

std::string pack_status(const StatusSnapshot& snapshot);

/// What pack_status() made; headings come back as the component's name ("cluster") and names of fields as keys
/// ("queued-bytes"). Unknown keys are ignored and absent ones are as in a new value, so that a client may be a little
/// older or newer than the daemon. An error's text says what is wrong with it, also what the daemon itself said.
Result<StatusSnapshot, std::string> unpack_status(std::string_view text);

}  // namespace cmirror
