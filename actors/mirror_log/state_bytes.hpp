// The bytes that a state is saved as. Integers are little-endian; every count is checked when read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "actors/mirror_log/region_map.hpp"
#include "messages/identity.hpp"

namespace cmirror::mirror_log {

class StateWriter {
  public:
    void number(std::uint64_t value) {
        for (int i = 0; i < 8; ++i)
            bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
    void owner(Owner owner) {
        number(owner.node);
        number(owner.luid);
    }
    void member(MemberId id) { number((std::uint64_t{id.node} << 32U) | id.process); }
    void boot(const BootId& boot) {
        for (const std::uint8_t b : boot)
            bytes_.push_back(std::byte{b});
    }
    void map(const RegionMap& map) {
        static_assert(std::endian::native == std::endian::little, "words are copied as they are");
        const auto raw = std::as_bytes(map.raw());
        bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    }
    template <class Regions>
    void regions(const Regions& regions) {
        number(regions.size());
        for (const RegionNumber region : regions)
            number(region);
    }
    void bytes(std::span<const std::byte> bytes) {
        number(bytes.size());
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }
    std::vector<std::byte> take() { return std::move(bytes_); }

  private:
    std::vector<std::byte> bytes_;
};

class StateReader {
  public:
    StateReader(std::span<const std::byte> bytes, std::uint64_t region_count)
        : bytes_(bytes), region_count_(region_count) {}

    bool good() const { return good_; }
    bool at_end() const { return good_ && bytes_.empty(); }

    std::uint64_t number() {
        std::uint64_t value = 0;
        for (int i = 0; i < 8; ++i)
            value |= std::uint64_t{byte()} << (8 * i);
        return value;
    }
    /// A count of entries of at least `size` bytes each.
    std::uint64_t count(std::size_t size) {
        const std::uint64_t n = number();
        if (n > bytes_.size() / size) fail();
        return good_ ? n : 0;
    }
    RegionNumber region() {
        const RegionNumber region = number();
        if (region >= region_count_) fail();
        return good_ ? region : 0;
    }
    Owner owner() {
        const auto node = static_cast<NodeId>(number());
        return {node, number()};
    }
    MemberId member() {
        const std::uint64_t id = number();
        return {static_cast<NodeId>(id >> 32U), static_cast<std::uint32_t>(id)};
    }
    BootId boot() {
        BootId boot{};
        for (std::uint8_t& b : boot)
            b = byte();
        return boot;
    }
    void map(RegionMap& map) {
        const std::size_t size = map.raw().size_bytes();
        if (bytes_.size() < size) return fail();
        std::vector<std::uint64_t> words(map.raw().size());
        std::memcpy(words.data(), bytes_.data(), size);
        bytes_ = bytes_.subspan(size);
        map.assign_raw(words);
    }
    std::vector<std::byte> bytes() {
        const std::uint64_t size = count(1);
        std::vector<std::byte> taken(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(size));
        bytes_ = bytes_.subspan(size);
        return taken;
    }
    void fail() {
        good_ = false;
        bytes_ = {};
    }

  private:
    std::uint8_t byte() {
        if (bytes_.empty()) {
            good_ = false;
            return 0;
        }
        const auto value = static_cast<std::uint8_t>(bytes_.front());
        bytes_ = bytes_.subspan(1);
        return value;
    }
    std::span<const std::byte> bytes_;
    std::uint64_t region_count_;
    bool good_ = true;
};

}  // namespace cmirror::mirror_log
