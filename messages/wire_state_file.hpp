// The state file under /run: lines of 64 bytes, each with a checksum of its own, so that a change writes one of them.
//
// Written and read on one machine in one boot, so integers are in its own byte order. Lines 0 and 1 and the three that
// follow say whose file it is; then come three maps: live, in sync, reached. A line of a map that was never written is
// all zeros (a hole), and stands for 448 clear bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "messages/kept_state.hpp"
#include "messages/result.hpp"

namespace cmirror {

inline constexpr std::size_t state_line_size = 64;
inline constexpr std::uint64_t state_words_per_line = 7;

enum class StateMap : std::uint8_t { live = 0, in_sync = 1, reached = 2 };
inline constexpr std::uint64_t state_map_count = 3;

/// Lines of one map.
constexpr std::uint64_t state_map_lines(std::uint64_t region_count) {
    return (region_words(region_count) + state_words_per_line - 1) / state_words_per_line;
}
/// The line of a map that a region is in.
constexpr std::uint64_t state_line_of(RegionNumber region) {
    return region / 64 / state_words_per_line;
}
/// Bytes of the whole file.
std::uint64_t state_file_size(std::uint64_t region_count);

/// The lines that never change.
StatePatch pack_state_identity(const KeptIdentity& identity);
StatePatch pack_state_standing(const KeptStanding& standing);
/// Lines `first` to `first + count - 1` of a map; `words` is the whole map. Bits past the end are written as 0.
StatePatch pack_state_lines(StateMap map, const KeptIdentity& identity, std::span<const std::uint64_t> words,
                            std::uint64_t first, std::uint64_t count);

enum class StateFileFault : std::uint8_t { not_a_state_file, wrong_size, broken_line };
std::string_view name_of(StateFileFault fault);

/// Reads a whole file. Never reads past it, and trusts no size in it.
Result<KeptState, StateFileFault> unpack_state_file(std::span<const std::byte> file);

}  // namespace cmirror
