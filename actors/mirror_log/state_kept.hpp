// What outlives an instance's membership in its memory (design.md, rule 10).
#pragma once

#include <cstdint>

namespace cmirror::mirror_log {

/// What of an earlier state a start uses: all of it, as nobody else was there since; what it says of others, who may
/// live on out of sight and mark more; or what they had marked, if they went a moment after this node had left.
enum class StateKept : std::uint8_t { nothing, marks, others, whole };

}  // namespace cmirror::mirror_log
