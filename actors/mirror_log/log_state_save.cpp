// The whole state as bytes: what a joiner gets. Behind everything else come the maps: sync bits, then what differs from
// them in the clean bits and in those of regions that have been in sync, which compresses to nearly nothing.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "actors/mirror_log/log_state.hpp"
#include "actors/mirror_log/state_bytes.hpp"
#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

namespace {

constexpr std::uint64_t format = 7;
static_assert(std::endian::native == std::endian::little, "words are copied as they are");

/// Words of the maps that are read at a time.
constexpr std::size_t batch_words = 1024;

}  // namespace

std::vector<std::byte> LogState::save() const {
    std::vector<std::byte> bytes = save_head();
    const std::span<const std::uint64_t> sync = sync_.raw();
    std::vector<std::uint64_t> words;
    words.reserve(3 * sync.size());
    words.assign(sync.begin(), sync.end());
    for (const RegionMap* map : {&clean_, &reached_})
        for (std::size_t i = 0; i < sync.size(); ++i)
            words.push_back(map->raw()[i] ^ sync[i]);
    const auto maps = std::as_bytes(std::span(words));
    bytes.insert(bytes.end(), maps.begin(), maps.end());
    return bytes;
}

void LogState::freeze() {
    frozen_head_ = save_head();
    for (RegionMap* map : {&sync_, &clean_, &reached_})
        map->freeze();
}

void LogState::thaw() {
    frozen_head_.clear();
    for (RegionMap* map : {&sync_, &clean_, &reached_})
        map->thaw();
}

std::uint64_t LogState::frozen_size() const {
    return frozen_head_.size() + 3 * sync_.raw().size_bytes();
}

void LogState::read_frozen(std::uint64_t from, std::span<std::byte> out) const {
    CMIRROR_INVARIANT(!frozen_head_.empty() && from + out.size() <= frozen_size());
    if (from < frozen_head_.size()) {
        const std::size_t count = std::min<std::size_t>(out.size(), frozen_head_.size() - from);
        std::memcpy(out.data(), &frozen_head_[from], count);
        out = out.subspan(count);
        from += count;
    }
    const std::uint64_t map_bytes = sync_.raw().size_bytes();
    std::array<std::uint64_t, batch_words> words{};
    std::array<std::uint64_t, batch_words> sync{};
    while (!out.empty()) {
        const std::uint64_t at = from - frozen_head_.size();
        const std::uint64_t in_map = at % map_bytes;
        const std::uint64_t first = in_map / 8;
        const std::size_t count = std::min<std::size_t>(batch_words, sync_.raw().size() - first);
        sync_.copy_frozen(first, std::span(sync).first(count));
        words = sync;
        if (at >= map_bytes) {
            const RegionMap& map = at < 2 * map_bytes ? clean_ : reached_;
            map.copy_frozen(first, std::span(words).first(count));
            for (std::size_t i = 0; i < count; ++i)
                words.at(i) ^= sync.at(i);
        }
        // A piece may begin and end inside a word.
        const std::size_t skipped = in_map % 8;
        const std::size_t size = std::min(out.size(), count * 8 - skipped);
        std::memcpy(out.data(), std::as_bytes(std::span(words)).data() + skipped, size);
        out = out.subspan(size);
        from += size;
    }
}

void LogState::load_maps(std::span<const std::byte> bytes) {
    const std::size_t size = sync_.raw().size_bytes();
    sync_.assign_bytes(bytes.first(size));
    clean_.assign_bytes(bytes.subspan(size, size), &sync_);
    reached_.assign_bytes(bytes.subspan(2 * size, size), &sync_);
}

/// All but the maps.
std::vector<std::byte> LogState::save_head() const {
    StateWriter out;
    out.number(format);
    out.number(region_count());
    out.number(lineage_);
    out.number(ordinal_);
    out.number(digest_);
    out.number(ever_full_ ? 1 : 0);
    out.number(members_.size());
    for (const Member& m : members_) {
        out.member(m.id);
        out.number((m.introduced ? 1U : 0U) | (m.valid ? 2U : 0U) | (m.legacy ? 4U : 0U) | (m.legacy_valid ? 8U : 0U));
        out.number(m.legacy_joins);
        out.number(m.token);
        out.boot(m.boot);
        out.number(m.luid);
        out.number(m.version.number);
        out.number(m.next_seq);
        out.number(m.relieved);
        out.number(m.handed_over);
    }
    out.number(boots_.size());
    for (const auto& [owner, boot] : boots_) {
        out.owner(owner);
        out.boot(boot);
        out.number((marks_.has_everything(owner) ? 1U : 0U) | (suspending_.contains(owner) ? 2U : 0U) |
                   (outdated_.contains(owner) ? 4U : 0U) | (doubted_.contains(owner) ? 8U : 0U));
        out.regions(marks_.of(owner));
    }
    out.number(grants_.runs().size());
    for (const auto& [first, run] : grants_.runs()) {
        out.owner(run.owner);
        out.number(run.first);
        out.number(run.count);
        out.number(run.later ? 1 : 0);
    }
    out.number(failed_.size());
    for (const auto& [region, owners] : failed_) {
        out.number(region);
        out.number(owners.size());
        for (const Owner owner : owners)
            out.owner(owner);
    }
    out.number(tried_.size());
    for (const auto& [owner, region] : tried_) {
        out.owner(owner);
        out.number(region);
    }
    out.number(asks_.size());
    for (const Ask& ask : asks_) {
        out.owner(ask.owner);
        out.number(ask.count);
    }
    out.regions(wanted_);
    out.regions(overtaken_);
    out.number(copied_as_well_.size());
    for (const auto& [region, owner] : copied_as_well_) {
        out.owner(owner);
        out.number(region);
    }
    out.regions(priority_);
    out.number(held_.size());
    for (const HeldMark& h : held_) {
        out.owner(h.owner);
        out.number(h.region);
        out.member(h.origin);
        out.number(h.seq);
    }
    save_legacy(out);
    return out.take();
}

void LogState::load_owners(StateReader& in) {
    for (std::uint64_t n = in.count(96); n > 0 && in.good(); --n) {
        Member m;
        m.id = in.member();
        const std::uint64_t flags = in.number();
        m.introduced = (flags & 1U) != 0;
        m.valid = (flags & 2U) != 0;
        m.legacy = (flags & 4U) != 0;
        m.legacy_valid = (flags & 8U) != 0;
        m.legacy_joins = in.number();
        m.token = in.number();
        m.boot = in.boot();
        m.luid = in.number();
        m.version.number = static_cast<std::uint32_t>(in.number());
        m.next_seq = in.number();
        m.relieved = in.number();
        m.handed_over = in.number();
        members_.push_back(m);
    }
    for (std::uint64_t n = in.count(48); n > 0 && in.good(); --n) {
        const Owner owner = in.owner();
        boots_[owner] = in.boot();
        const std::uint64_t flags = in.number();
        if ((flags & 1U) != 0) marks_.add_everything(owner);
        if ((flags & 2U) != 0) suspending_.insert(owner);
        if ((flags & 4U) != 0) outdated_.insert(owner);
        if ((flags & 8U) != 0) doubted_.insert(owner);
        for (std::uint64_t k = in.count(8); k > 0 && in.good(); --k)
            marks_.add(owner, in.region());
    }
}

std::optional<LogState> LogState::from_saved(std::span<const std::byte> bytes) {
    StateReader head(bytes, 0);
    if (head.number() != format) return std::nullopt;
    const std::uint64_t region_count = head.number();
    // A map has a bit a region: so no size is believed that the bytes cannot have.
    if (!head.good() || region_count == 0 || region_count / 8 > bytes.size()) return std::nullopt;
    std::optional<LogState> state(std::in_place, region_count);
    if (!state->load(bytes)) return std::nullopt;
    return state;
}

bool LogState::load(std::span<const std::byte> bytes) {
    const std::size_t maps_size = 3 * sync_.raw().size_bytes();
    if (bytes.size() < maps_size) return false;
    load_maps(bytes.last(maps_size));
    StateReader in(bytes.first(bytes.size() - maps_size), region_count());
    if (in.number() != format || in.number() != region_count()) return false;
    lineage_ = in.number();
    ordinal_ = in.number();
    digest_ = in.number();
    ever_full_ = in.number() != 0;
    load_owners(in);
    for (std::uint64_t n = in.count(32); n > 0 && in.good(); --n) {
        Run run;
        run.owner = in.owner();
        run.first = in.region();
        run.count = in.number();
        run.later = in.number() != 0;
        const bool fits = run.count > 0 && run.count <= region_count() - run.first;
        const auto next = grants_.runs().lower_bound(run.first);
        if (!fits || next != grants_.runs().end() || grants_.run_of(run.first) != nullptr) return false;
        grants_.grant(run);
    }
    for (std::uint64_t n = in.count(32); n > 0 && in.good(); --n) {
        const RegionNumber region = in.region();
        for (std::uint64_t k = in.count(16); k > 0 && in.good(); --k)
            failed_[region].insert(in.owner());
    }
    for (std::uint64_t n = in.count(24); n > 0 && in.good(); --n) {
        const Owner owner = in.owner();
        tried_.insert({owner, in.region()});
    }
    for (std::uint64_t n = in.count(24); n > 0 && in.good(); --n) {
        const Owner owner = in.owner();
        asks_.push_back({owner, in.number()});
    }
    for (std::uint64_t n = in.count(8); n > 0 && in.good(); --n)
        wanted_.insert(in.region());
    for (std::uint64_t n = in.count(8); n > 0 && in.good(); --n)
        overtaken_.insert(in.region());
    for (std::uint64_t n = in.count(24); n > 0 && in.good(); --n) {
        const Owner owner = in.owner();
        copied_as_well_.insert({in.region(), owner});
    }
    for (std::uint64_t n = in.count(8); n > 0 && in.good(); --n) {
        const RegionNumber region = in.region();
        if (priority_set_.insert(region).second) priority_.push_back(region);
    }
    for (std::uint64_t n = in.count(40); n > 0 && in.good(); --n) {
        HeldMark held;
        held.owner = in.owner();
        held.region = in.region();
        held.origin = in.member();
        held.seq = in.number();
        held_.push_back(held);
    }
    load_legacy(in);
    find_orphans();
    return in.at_end();
}

}  // namespace cmirror::mirror_log
