#include "messages/wire_state_file.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "messages/invariant.hpp"

namespace cmirror {
namespace {

using Words = std::array<std::uint64_t, state_words_per_line>;
static_assert(sizeof(Words) + sizeof(std::uint64_t) == state_line_size);

constexpr std::uint64_t state_file_magic = 0x31455441'54534D43U;  // "CMSTATE1"
constexpr std::uint64_t standing_line = 1;
constexpr std::uint64_t uuid_line = 2;
constexpr std::uint64_t uuid_lines = 3;
constexpr std::uint64_t first_map_line = uuid_line + uuid_lines;
constexpr std::uint64_t presuspended_flag = 1;
constexpr std::uint64_t copying_flag = 2;
constexpr std::uint64_t reconnecting_flag = 4;
constexpr std::uint64_t log_failed_flag = 8;
constexpr std::uint64_t marks_unknown_flag = 16;
constexpr std::uint64_t drained_flag = 32;
/// A mirror of 2^63 bytes with regions of 512 bytes has fewer.
constexpr std::uint64_t region_count_max = std::uint64_t{1} << 54U;
static_assert(uuid_lines * sizeof(Words) > Uuid::length_max);

constexpr std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
}

/// Never 0 for a line that was written, and another one for the same words in another place.
std::uint64_t checksum(const Words& words, std::uint64_t line) {
    std::uint64_t sum = mix(line + 0x9E3779B97F4A7C15U);
    for (const std::uint64_t word : words)
        sum = mix(sum ^ word) + 0x9E3779B97F4A7C15U;
    return sum | 1U;
}

void put_line(std::vector<std::byte>& out, const Words& words, std::uint64_t line) {
    const std::size_t at = out.size();
    out.resize(at + state_line_size);
    std::memcpy(out.data() + at, words.data(), sizeof words);
    const std::uint64_t sum = checksum(words, line);
    std::memcpy(out.data() + at + sizeof words, &sum, sizeof sum);
}

/// Nothing if the line is broken. A hole is good where `may_be_hole`.
std::optional<Words> get_line(std::span<const std::byte> file, std::uint64_t line, bool may_be_hole) {
    CMIRROR_INVARIANT((line + 1) * state_line_size <= file.size());
    Words words{};
    std::uint64_t sum = 0;
    std::memcpy(words.data(), file.data() + line * state_line_size, sizeof words);
    std::memcpy(&sum, file.data() + line * state_line_size + sizeof words, sizeof sum);
    if (sum == checksum(words, line)) return words;
    const bool hole = sum == 0 && std::ranges::all_of(words, [](std::uint64_t word) { return word == 0; });
    if (hole && may_be_hole) return words;
    return std::nullopt;
}

std::uint64_t map_line(StateMap map, std::uint64_t region_count) {
    return first_map_line + static_cast<std::uint64_t>(map) * state_map_lines(region_count);
}

std::optional<RegionWords> get_map(std::span<const std::byte> file, StateMap map, std::uint64_t region_count) {
    RegionWords all;
    all.reserve(state_map_lines(region_count) * state_words_per_line);
    const std::uint64_t first = map_line(map, region_count);
    for (std::uint64_t line = 0; line < state_map_lines(region_count); ++line) {
        const auto words = get_line(file, first + line, true);
        if (!words) return std::nullopt;
        all.insert(all.end(), words->begin(), words->end());
    }
    all.resize(region_words(region_count));
    return all;
}

std::optional<Uuid> get_uuid(std::span<const std::byte> file) {
    std::array<char, uuid_lines * sizeof(Words)> text{};
    for (std::uint64_t i = 0; i < uuid_lines; ++i) {
        const auto words = get_line(file, uuid_line + i, false);
        if (!words) return std::nullopt;
        std::memcpy(text.data() + i * sizeof(Words), words->data(), sizeof(Words));
    }
    const auto length = static_cast<std::size_t>(std::ranges::find(text, '\0') - text.begin());
    return Uuid::from_text({text.data(), length});
}

}  // namespace

std::uint64_t state_file_size(std::uint64_t region_count) {
    return (first_map_line + state_map_count * state_map_lines(region_count)) * state_line_size;
}

StatePatch pack_state_identity(const KeptIdentity& identity) {
    StatePatch patch;
    Words words{state_file_magic, identity.luid, identity.region_size_sectors, identity.region_count, 0, 0, 0};
    std::memcpy(&words[4], identity.boot.data(), sizeof identity.boot);
    put_line(patch.bytes, words, 0);
    const auto standing = pack_state_standing({});
    patch.bytes.insert(patch.bytes.end(), standing.bytes.begin(), standing.bytes.end());
    std::array<char, uuid_lines * sizeof(Words)> text{};
    std::ranges::copy(identity.uuid.text(), text.begin());
    for (std::uint64_t i = 0; i < uuid_lines; ++i) {
        std::memcpy(words.data(), text.data() + i * sizeof words, sizeof words);
        put_line(patch.bytes, words, uuid_line + i);
    }
    return patch;
}

StatePatch pack_state_standing(const KeptStanding& standing) {
    const std::uint64_t flags =
        (standing.presuspended ? presuspended_flag : 0) | (standing.reconnecting ? reconnecting_flag : 0) |
        (standing.copying ? copying_flag : 0) | (standing.log_failed ? log_failed_flag : 0) |
        (standing.marks_unknown ? marks_unknown_flag : 0) | (standing.drained ? drained_flag : 0);
    StatePatch patch{standing_line * state_line_size, {}};
    put_line(patch.bytes, {flags, standing.copying.value_or(0), standing.ring, 0, 0, 0, 0}, standing_line);
    return patch;
}

StatePatch pack_state_lines(StateMap map, const KeptIdentity& identity, std::span<const std::uint64_t> words,
                            std::uint64_t first, std::uint64_t count) {
    const std::uint64_t all = region_words(identity.region_count);
    CMIRROR_INVARIANT(words.size() == all && first + count <= state_map_lines(identity.region_count));
    const std::uint64_t begin = map_line(map, identity.region_count) + first;
    StatePatch patch{begin * state_line_size, {}};
    patch.bytes.reserve(count * state_line_size);
    for (std::uint64_t line = 0; line < count; ++line) {
        Words out{};
        const std::uint64_t from = (first + line) * state_words_per_line;
        for (std::uint64_t i = 0; i < state_words_per_line && from + i < all; ++i)
            out[i] = words[from + i];
        const std::uint64_t behind = identity.region_count % 64;
        if (behind != 0 && from + state_words_per_line >= all) out[all - 1 - from] &= (std::uint64_t{1} << behind) - 1;
        put_line(patch.bytes, out, begin + line);
    }
    return patch;
}

std::string_view name_of(StateFileFault fault) {
    switch (fault) {
        case StateFileFault::not_a_state_file:
            return "it is no state file";
        case StateFileFault::wrong_size:
            return "it has the wrong size";
        case StateFileFault::broken_line:
            return "a checksum is wrong";
    }
    return "unknown fault";
}

Result<KeptState, StateFileFault> unpack_state_file(std::span<const std::byte> file) {
    const auto fault = [](StateFileFault why) { return Failure<StateFileFault>(why); };
    if (file.size() < first_map_line * state_line_size) return fault(StateFileFault::wrong_size);
    const auto head = get_line(file, 0, false);
    if (!head || (*head)[0] != state_file_magic) return fault(StateFileFault::not_a_state_file);
    KeptState kept;
    auto& identity = kept.identity;
    identity.luid = (*head)[1];
    identity.region_size_sectors = (*head)[2];
    identity.region_count = (*head)[3];
    std::memcpy(identity.boot.data(), &(*head)[4], sizeof identity.boot);
    if (identity.region_count == 0 || identity.region_count > region_count_max ||
        file.size() != state_file_size(identity.region_count))
        return fault(StateFileFault::wrong_size);
    const auto standing = get_line(file, standing_line, false);
    const auto uuid = get_uuid(file);
    if (!standing || !uuid) return fault(StateFileFault::broken_line);
    identity.uuid = *uuid;
    kept.standing.presuspended = ((*standing)[0] & presuspended_flag) != 0;
    kept.standing.reconnecting = ((*standing)[0] & reconnecting_flag) != 0;
    kept.standing.marks_unknown = ((*standing)[0] & marks_unknown_flag) != 0;
    kept.standing.drained = ((*standing)[0] & drained_flag) != 0;
    kept.standing.log_failed = ((*standing)[0] & log_failed_flag) != 0;
    if (((*standing)[0] & copying_flag) != 0) kept.standing.copying = (*standing)[1];
    if (kept.standing.copying >= identity.region_count && kept.standing.copying)
        return fault(StateFileFault::broken_line);
    kept.standing.ring = (*standing)[2];
    auto live = get_map(file, StateMap::live, identity.region_count);
    auto in_sync = get_map(file, StateMap::in_sync, identity.region_count);
    auto reached = get_map(file, StateMap::reached, identity.region_count);
    if (!live || !in_sync || !reached) return fault(StateFileFault::broken_line);
    kept.live = std::move(*live);
    kept.in_sync = std::move(*in_sync);
    kept.reached = std::move(*reached);
    return kept;
}

}  // namespace cmirror
