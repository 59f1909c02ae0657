// All regions of a log on one line.
#pragma once

#include <cstddef>
#include <string>

#include "actors/mirror_log/log_state.hpp"

namespace cmirror::mirror_log {

inline constexpr std::size_t strip_cells_max = 128;

/// LogStatus::region_map. Cost grows with the number of regions only if some fell out of sync later.
std::string region_strip(const LogState& state);

}  // namespace cmirror::mirror_log
