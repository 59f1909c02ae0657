#include "actors/mirror_log/state_keeper.hpp"

#include <algorithm>

#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

void StateKeeper::begin(const KeptIdentity& identity) {
    begin(identity, RegionWords(region_words(identity.region_count)));
}

void StateKeeper::begin(const KeptIdentity& identity, const RegionWords& live) {
    CMIRROR_INVARIANT(live.size() == region_words(identity.region_count));
    identity_ = identity;
    begun_ = true;
    fresh_ = true;
    live_ = live;
    live_lines_.clear();
    standing_ = {};
}

void StateKeeper::set_live(RegionNumber region, bool value) {
    if (!begun_) return;
    CMIRROR_INVARIANT(region < identity_.region_count);
    std::uint64_t& word = live_[region / 64];
    const std::uint64_t bit = std::uint64_t{1} << (region % 64);
    if (((word & bit) != 0) == value) return;
    word ^= bit;
    live_lines_.insert(state_line_of(region));
}

void StateKeeper::cleared_all() {
    for (std::uint64_t word = 0; word < live_.size(); ++word) {
        if (live_[word] == 0) continue;
        live_[word] = 0;
        live_lines_.insert(word / state_words_per_line);
    }
}

void StateKeeper::put(KeepEffect& out, StateMap map, std::span<const std::uint64_t> words,
                      const std::set<std::uint64_t>& lines) const {
    for (const std::uint64_t line : lines)
        out.patches.push_back(pack_state_lines(map, identity_, words, line, 1));
}

void StateKeeper::put_all(KeepEffect& out, StateMap map, std::span<const std::uint64_t> words) const {
    out.patches.push_back(pack_state_lines(map, identity_, words, 0, state_map_lines(identity_.region_count)));
}

std::optional<KeepEffect> StateKeeper::take(const KeptStanding& standing, const std::set<std::uint64_t>& changed_lines,
                                            std::span<const std::uint64_t> in_sync,
                                            std::span<const std::uint64_t> reached) {
    if (!begun_) return std::nullopt;
    const bool alone = standing.ring != 0;
    const bool maps_changed = alone && !changed_lines.empty();
    if (!fresh_ && live_lines_.empty() && standing == standing_ && !maps_changed) return std::nullopt;
    KeepEffect out;
    out.begin = fresh_;
    out.file_size = state_file_size(identity_.region_count);
    if (fresh_) {
        out.patches.push_back(pack_state_identity(identity_));
        const bool marked = std::any_of(live_.begin(), live_.end(), [](std::uint64_t word) { return word != 0; });
        if (marked) put_all(out, StateMap::live, live_);
    } else {
        put(out, StateMap::live, live_, live_lines_);
    }
    // While the maps change the file must not be believed to be all there is.
    if (alone && (fresh_ || standing_.ring != standing.ring)) {
        put_all(out, StateMap::in_sync, in_sync);
        put_all(out, StateMap::reached, reached);
    } else if (alone) {
        put(out, StateMap::in_sync, in_sync, changed_lines);
        put(out, StateMap::reached, reached, changed_lines);
    }
    if (fresh_ || standing != standing_) out.patches.push_back(pack_state_standing(standing));
    fresh_ = false;
    live_lines_.clear();
    standing_ = standing;
    return out;
}

}  // namespace cmirror::mirror_log
