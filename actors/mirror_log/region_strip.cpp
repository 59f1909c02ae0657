#include "actors/mirror_log/region_strip.hpp"

#include <algorithm>

namespace cmirror::mirror_log {
namespace {

constexpr std::uint64_t word_bits = 64;

/// Whole words, for there may be many regions.
bool any_fell_out(const LogState& state, RegionNumber begin, RegionNumber end) {
    const auto sync = state.sync().raw();
    const auto reached = state.reached().raw();
    for (auto word = begin / word_bits; word * word_bits < end; ++word) {
        auto fell_out = reached[word] & ~sync[word];
        if (begin > word * word_bits) fell_out &= ~std::uint64_t{0} << (begin % word_bits);
        if (end < (word + 1) * word_bits) fell_out &= ~(~std::uint64_t{0} << (end % word_bits));
        if (fell_out != 0) return true;
    }
    return false;
}

char worst_of(const LogState& state, RegionNumber begin, RegionNumber end) {
    if (state.fell_out_count() > 0 && any_fell_out(state, begin, end)) return 'f';
    if (state.sync().next_clear(begin) < end) return 'o';
    return state.clean().next_clear(begin) < end ? 'd' : 'c';
}

}  // namespace

std::string region_strip(const LogState& state) {
    const auto regions = state.region_count();
    const auto cells = std::min<std::uint64_t>(regions, strip_cells_max);
    // Without overflow for any number of regions: the first `extra` cells have one more.
    const auto each = cells == 0 ? 0 : regions / cells;
    const auto extra = cells == 0 ? 0 : regions % cells;
    const auto begin_of = [&](std::uint64_t cell) { return cell * each + std::min(cell, extra); };
    std::string strip;
    for (std::uint64_t cell = 0; cell < cells; ++cell)
        strip += worst_of(state, begin_of(cell), begin_of(cell + 1));
    for (const auto& [first, run] : state.grants().runs())
        for (std::uint64_t cell = 0; cell < cells; ++cell)
            if (begin_of(cell) < run.first + run.count && begin_of(cell + 1) > run.first) strip[cell] = 'r';
    return strip;
}

}  // namespace cmirror::mirror_log
