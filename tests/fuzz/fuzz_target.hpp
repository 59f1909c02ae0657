// What a fuzz target is made of: one function, and a reader that turns its bytes into numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

/// Tries one input. Returns 0; what is wrong aborts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace cmirror::fuzz {

/// Takes an input apart. What is missing at its end reads as zeros.
class Input {
  public:
    explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}
    Input(const std::uint8_t* data, std::size_t size) : bytes_(std::as_bytes(std::span(data, size))) {}

    bool empty() const { return bytes_.empty(); }
    std::uint8_t byte() {
        if (bytes_.empty()) return 0;
        const auto value = std::to_integer<std::uint8_t>(bytes_.front());
        bytes_ = bytes_.subspan(1);
        return value;
    }
    /// Below `end`, which is at most 256.
    unsigned below(unsigned end) { return byte() % end; }
    bool flag() { return (byte() & 1U) != 0; }
    std::uint64_t number(unsigned bytes = 8) {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < bytes; ++i)
            value |= std::uint64_t{byte()} << (8 * i);
        return value;
    }
    /// Mostly small, now and then of any size.
    std::uint64_t some_number() {
        const std::uint8_t value = byte();
        if (value < 0xF0) return value;
        return value == 0xFF ? ~std::uint64_t{0} : number();
    }
    std::span<const std::byte> take(std::size_t size) {
        const auto taken = bytes_.first(std::min(size, bytes_.size()));
        bytes_ = bytes_.subspan(taken.size());
        return taken;
    }
    std::span<const std::byte> rest() { return take(bytes_.size()); }

  private:
    std::span<const std::byte> bytes_;
};

}  // namespace cmirror::fuzz
