// Integers as they lie on disk and on the wire: little-endian, unaligned, and never mixed up with native ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace cmirror {

/// Holds the bytes of a `Native`; both ways of conversion are spelled out.
template <class Native>
class LittleEndian {
  public:
    static_assert(std::is_unsigned_v<Native>);

    constexpr LittleEndian() = default;
    constexpr explicit LittleEndian(Native value) {
        for (std::size_t i = 0; i < sizeof(Native); ++i)
            bytes_[i] = static_cast<std::byte>(static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * i)));
    }
    // Only a `Native` is taken: a wider integer would lose bits, a narrower one is a wrong field.
    template <class Other>
    explicit LittleEndian(Other) = delete;

    constexpr Native value() const {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < sizeof(Native); ++i)
            value |= std::to_integer<std::uint64_t>(bytes_[i]) << (8 * i);
        return static_cast<Native>(value);
    }

  private:
    std::array<std::byte, sizeof(Native)> bytes_{};
};

using le16 = LittleEndian<std::uint16_t>;
using le32 = LittleEndian<std::uint32_t>;
using le64 = LittleEndian<std::uint64_t>;

static_assert(sizeof(le16) == 2 && alignof(le16) == 1);
static_assert(sizeof(le32) == 4 && alignof(le32) == 1);
static_assert(sizeof(le64) == 8 && alignof(le64) == 1);

}  // namespace cmirror
