// One bit a region, with the count kept and the next clear bit found without a scan.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// A bit map of a mirror's regions. Every operation's cost is independent of the number of regions, up to a factor
/// of log64 (4 steps at 40 million), but for the ones that say otherwise.
class RegionMap {
  public:
    /// All bits `value`. Cost grows with `size`.
    explicit RegionMap(std::uint64_t size, bool value = false);

    std::uint64_t size() const { return size_; }
    /// Number of set bits.
    std::uint64_t count() const { return count_; }
    bool all() const { return count_ == size_; }

    /// Invariant for this and all that take a region: region < size().
    bool test(RegionNumber region) const;
    /// True if the bit was clear.
    bool set(RegionNumber region);
    /// True if the bit was set.
    bool reset(RegionNumber region);

    /// The first clear bit at or behind `from`, or size() if there is none.
    RegionNumber next_clear(RegionNumber from) const;

    /// Sets every bit to `value`. Cost grows with size().
    void fill(bool value);

    /// The bits as words of 32 regions, as they lie on a log device; bits past the end are 0.
    std::uint32_t word32(std::uint64_t index) const;
    /// Replaces bits by `words`; bits past their end are cleared. Cost grows with size().
    void assign_words32(std::span<const std::uint32_t> words);

    /// The bits, 64 regions a word; bits past the end are 1 (so that they are never found clear).
    std::span<const std::uint64_t> raw() const { return levels_.front(); }
    /// Replaces all bits; `raw` has as many words as raw(). Cost grows with size().
    void assign_raw(std::span<const std::uint64_t> raw);
    /// The same from the bytes of its words. With `differing_from`, a map of the same size, they tell what differs from
    /// that one.
    void assign_bytes(std::span<const std::byte> bytes, const RegionMap* differing_from = nullptr);

    /// From now on copy_frozen() gives the words of raw() as of this moment, until thaw(). Costs memory for the words
    /// that change meanwhile alone.
    void freeze() { changed_.emplace(); }
    void thaw() { changed_.reset(); }
    /// Words from..from + out.size() - 1 of raw(). Invariant: frozen, and there are so many.
    void copy_frozen(std::uint64_t from, std::span<std::uint64_t> out) const;

  private:
    static void pad(std::vector<std::uint64_t>& level, std::uint64_t bits);
    void rebuild();
    void keep_word(std::uint64_t index);
    void keep_all_words();

    std::uint64_t size_;
    std::uint64_t count_ = 0;
    /// Level 0: the bits. Bit i of level k+1: word i of level k has no clear bit.
    std::vector<std::vector<std::uint64_t>> levels_;
    /// While frozen: words that have changed since, as they were.
    std::optional<std::map<std::uint64_t, std::uint64_t>> changed_;
};

}  // namespace cmirror::mirror_log
