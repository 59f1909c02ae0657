// The log device's format (spec/disk.md): a header and one bit a region.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace cmirror {

inline constexpr std::size_t device_header_size = 1024;
inline constexpr std::uint32_t device_version = 2;

struct DeviceHeader {
    std::uint32_t version = device_version;
    std::uint64_t region_count = 0;

    friend bool operator==(const DeviceHeader&, const DeviceHeader&) = default;
};

/// Nothing if the magic is another one (the device holds no log) or `bytes` is shorter than device_header_size.
std::optional<DeviceHeader> unpack_device_header(std::span<const std::byte> bytes);

/// Writes device_header_size bytes, zero behind the fields. Invariant: `out` has that size at least.
void pack_device_header(const DeviceHeader& header, std::span<std::byte> out);

/// Words of 32 regions that a map of `region_count` regions has.
constexpr std::uint64_t device_words(std::uint64_t region_count) {
    return region_count / 32 + (region_count % 32 != 0);
}

/// Bytes from the start of the device to the end of the map.
constexpr std::uint64_t device_bytes(std::uint64_t region_count) {
    return device_header_size + device_words(region_count) * 4;
}

/// The 4 KiB block of the device that holds a region's bit.
constexpr std::uint64_t device_block_of(std::uint64_t region) {
    return (device_header_size + region / 32 * 4) / 4096;
}

/// Reads little-endian words of the map; `out.size()` * 4 must not exceed `bytes.size()`.
void unpack_device_words(std::span<const std::byte> bytes, std::span<std::uint32_t> out);
void pack_device_words(std::span<const std::uint32_t> words, std::span<std::byte> out);

}  // namespace cmirror
