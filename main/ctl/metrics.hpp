// The daemon's counters as Prometheus reads them.
#pragma once

#include <string>

#include "main/ctl/health.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror::ctl {

/// Text format 0.0.4, names with the prefix `cmirror_`, base units.
std::string metrics_text(const StatusSnapshot& snapshot, const LocalMirrors& mirrors);
/// When the daemon cannot be asked.
std::string metrics_text_down();

}  // namespace cmirror::ctl
