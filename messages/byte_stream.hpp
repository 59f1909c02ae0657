// Fields behind one another, little-endian and without gaps: written to a vector, read from a span.
// Part of wire_cluster.hpp's implementation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "messages/identity.hpp"
#include "messages/little_endian.hpp"

namespace cmirror {

class ByteWriter {
  public:
    ByteWriter& u8(std::uint8_t value) { return put(value); }
    ByteWriter& u16(std::uint16_t value) { return put(le16{value}); }
    ByteWriter& u32(std::uint32_t value) { return put(le32{value}); }
    ByteWriter& u64(std::uint64_t value) { return put(le64{value}); }
    ByteWriter& flag(bool value) { return u8(value ? 1 : 0); }
    ByteWriter& raw(const BootId& value) { return put(value); }
    ByteWriter& raw(const std::vector<std::byte>& value) {
        bytes_.insert(bytes_.end(), value.begin(), value.end());
        return *this;
    }
    std::vector<std::byte> take() { return std::move(bytes_); }

  private:
    template <class Value>
    ByteWriter& put(const Value& value) {
        const auto bytes = std::as_bytes(std::span(&value, 1));
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        return *this;
    }

    std::vector<std::byte> bytes_;
};

/// Takes fields off the front. Once one is missing or senseless it is broken, and everything further is 0.
class ByteReader {
  public:
    explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    std::uint8_t u8() { return get<std::uint8_t>(); }
    std::uint32_t u32() { return get<le32>().value(); }
    std::uint64_t u64() { return get<le64>().value(); }
    BootId boot() { return get<BootId>(); }
    bool flag() {
        const std::uint8_t value = u8();
        if (value > 1) broken_ = true;
        return value == 1;
    }
    std::vector<std::byte> raw(std::size_t size) {
        if (!require(size <= bytes_.size())) return {};
        std::vector<std::byte> value(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(size));
        bytes_ = bytes_.subspan(size);
        return value;
    }
    /// False, from now on for ever, unless `condition` holds.
    bool require(bool condition) {
        broken_ = broken_ || !condition;
        return !broken_;
    }
    std::size_t left() const { return bytes_.size(); }
    bool complete() const { return !broken_ && bytes_.empty(); }

  private:
    template <class Value>
    Value get() {
        Value value{};
        if (!require(sizeof value <= bytes_.size())) return value;
        std::memcpy(&value, bytes_.data(), sizeof value);
        bytes_ = bytes_.subspan(sizeof value);
        return value;
    }

    std::span<const std::byte> bytes_;
    bool broken_ = false;
};

}  // namespace cmirror
