#include "actors/mirror_log/region_map.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

namespace {

constexpr std::uint64_t full = ~std::uint64_t{0};
constexpr std::uint64_t bit_of(std::uint64_t index) {
    return std::uint64_t{1} << (index % 64);
}

/// As std::popcount, which is a call on processors of any age; this one the compiler runs on several words at a time.
constexpr std::uint64_t bits_of(std::uint64_t word) {
    word -= (word >> 1U) & 0x5555555555555555U;
    word = (word & 0x3333333333333333U) + ((word >> 2U) & 0x3333333333333333U);
    word = (word + (word >> 4U)) & 0x0F0F0F0F0F0F0F0FU;
    word += word >> 8U;
    word += word >> 16U;
    return (word + (word >> 32U)) & 0x7FU;
}

/// As many as a word of the level above speaks of. Loops over so many the compiler unrolls into vectors.
constexpr std::size_t group_size = 64;
using Group = std::span<const std::uint64_t, group_size>;

std::uint64_t bits_of(Group words) {
    std::uint64_t sum = 0;
    for (const std::uint64_t word : words)
        sum += bits_of(word);
    return sum;
}

std::uint64_t full_ones_of(std::span<const std::uint64_t> words) {
    std::uint64_t found = 0;
    for (std::size_t i = 0; i < words.size(); ++i)
        found |= std::uint64_t{words[i] == full} << i;
    return found;
}

}  // namespace

RegionMap::RegionMap(std::uint64_t size, bool value) : size_(size), count_(value ? size : 0) {
    CMIRROR_INVARIANT(size > 0);
    std::uint64_t bits = size;
    do {
        levels_.emplace_back((bits + 63) / 64, value ? full : 0);
        pad(levels_.back(), bits);
        bits = levels_.back().size();
    } while (bits > 1);
}

// Bits past the end are 1 on every level, so that they are never found clear.
void RegionMap::pad(std::vector<std::uint64_t>& level, std::uint64_t bits) {
    if (bits % 64 != 0) level.back() |= full << (bits % 64);
}

void RegionMap::keep_word(std::uint64_t index) {
    if (changed_) changed_->try_emplace(index, levels_.front()[index]);
}

void RegionMap::keep_all_words() {
    for (std::uint64_t index = 0; changed_ && index < levels_.front().size(); ++index)
        keep_word(index);
}

void RegionMap::copy_frozen(std::uint64_t from, std::span<std::uint64_t> out) const {
    const auto& words = levels_.front();
    CMIRROR_INVARIANT(changed_.has_value() && from <= words.size() && out.size() <= words.size() - from);
    std::copy_n(words.begin() + static_cast<std::ptrdiff_t>(from), out.size(), out.begin());
    const auto end = changed_->lower_bound(from + out.size());
    for (auto before = changed_->lower_bound(from); before != end; ++before)
        out[before->first - from] = before->second;
}

void RegionMap::fill(bool value) {
    keep_all_words();
    count_ = value ? size_ : 0;
    std::uint64_t bits = size_;
    for (auto& level : levels_) {
        std::fill(level.begin(), level.end(), value ? full : 0);
        pad(level, bits);
        bits = level.size();
    }
}

void RegionMap::rebuild() {
    auto& words = levels_.front();
    pad(words, size_);
    std::uint64_t set_bits = 0;
    std::size_t at = 0;
    for (; at + group_size <= words.size(); at += group_size)
        set_bits += bits_of(Group{&words[at], group_size});
    for (; at < words.size(); ++at)
        set_bits += bits_of(words[at]);
    count_ = set_bits - (words.size() * 64 - size_);
    for (std::size_t k = 1; k < levels_.size(); ++k) {
        const std::span below{levels_[k - 1]};
        auto& level = levels_[k];
        for (std::size_t i = 0; i < level.size(); ++i)
            level[i] = full_ones_of(below.subspan(i * 64, std::min<std::size_t>(64, below.size() - i * 64)));
        pad(level, below.size());
    }
}

bool RegionMap::test(RegionNumber region) const {
    CMIRROR_INVARIANT(region < size_);
    return (levels_.front()[region / 64] & bit_of(region)) != 0;
}

bool RegionMap::set(RegionNumber region) {
    if (test(region)) return false;
    keep_word(region / 64);
    ++count_;
    std::uint64_t index = region;
    for (auto& level : levels_) {
        std::uint64_t& word = level[index / 64];
        word |= bit_of(index);
        if (word != full) break;
        index /= 64;
    }
    return true;
}

bool RegionMap::reset(RegionNumber region) {
    if (!test(region)) return false;
    keep_word(region / 64);
    --count_;
    std::uint64_t index = region;
    for (auto& level : levels_) {
        std::uint64_t& word = level[index / 64];
        const bool was_full = word == full;
        word &= ~bit_of(index);
        if (!was_full) break;
        index /= 64;
    }
    return true;
}

RegionNumber RegionMap::next_clear(RegionNumber from) const {
    std::uint64_t index = from;
    std::size_t k = 0;
    // Up, until a word has a clear bit at or behind index ...
    for (;; ++k) {
        if (k == levels_.size() || index / 64 >= levels_[k].size()) return size_;
        const std::uint64_t clear = ~levels_[k][index / 64] & (full << (index % 64));
        if (clear != 0) {
            index = index / 64 * 64 + static_cast<std::uint64_t>(std::countr_zero(clear));
            break;
        }
        index = index / 64 + 1;
    }
    // ... then down, always to the first one.
    while (k > 0) {
        --k;
        index = index * 64 + static_cast<std::uint64_t>(std::countr_zero(~levels_[k][index]));
    }
    return std::min(index, size_);
}

std::uint32_t RegionMap::word32(std::uint64_t index) const {
    CMIRROR_INVARIANT(index * 32 < size_);
    const auto word = static_cast<std::uint32_t>(levels_.front()[index / 2] >> (index % 2 * 32));
    const std::uint64_t left = size_ - index * 32;
    return left >= 32 ? word : word & ((std::uint32_t{1} << left) - 1);
}

void RegionMap::assign_words32(std::span<const std::uint32_t> words) {
    keep_all_words();
    auto& bits = levels_.front();
    std::fill(bits.begin(), bits.end(), 0);
    const std::size_t count = std::min(words.size(), bits.size() * 2);
    for (std::size_t i = 0; i < count; ++i)
        bits[i / 2] |= std::uint64_t{words[i]} << (i % 2 * 32);
    rebuild();
}

void RegionMap::assign_raw(std::span<const std::uint64_t> raw) {
    CMIRROR_INVARIANT(raw.size() == levels_.front().size());
    keep_all_words();
    std::copy(raw.begin(), raw.end(), levels_.front().begin());
    rebuild();
}

void RegionMap::assign_bytes(std::span<const std::byte> bytes, const RegionMap* differing_from) {
    auto& words = levels_.front();
    CMIRROR_INVARIANT(bytes.size() == raw().size_bytes());
    keep_all_words();
    std::memcpy(words.data(), bytes.data(), bytes.size());
    if (differing_from != nullptr) {
        const auto others = differing_from->raw();
        CMIRROR_INVARIANT(others.size() == words.size());
        for (std::size_t i = 0; i < words.size(); ++i)
            words[i] ^= others[i];
    }
    rebuild();
}

}  // namespace cmirror::mirror_log
