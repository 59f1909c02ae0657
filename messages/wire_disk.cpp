#include "messages/wire_disk.hpp"

#include <algorithm>
#include <cstring>

#include "messages/invariant.hpp"
#include "messages/little_endian.hpp"

namespace cmirror {
namespace {

constexpr std::uint32_t device_magic = 0x4D695272;

struct HeaderOnDisk {
    le32 magic;
    le32 version;
    le64 region_count;
};
static_assert(sizeof(HeaderOnDisk) == 16);
static_assert(offsetof(HeaderOnDisk, magic) == 0);
static_assert(offsetof(HeaderOnDisk, version) == 4);
static_assert(offsetof(HeaderOnDisk, region_count) == 8);
static_assert(std::is_trivially_copyable_v<HeaderOnDisk>);

}  // namespace

std::optional<DeviceHeader> unpack_device_header(std::span<const std::byte> bytes) {
    if (bytes.size() < device_header_size) return std::nullopt;
    HeaderOnDisk header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic.value() != device_magic) return std::nullopt;
    return DeviceHeader{.version = header.version.value(), .region_count = header.region_count.value()};
}

void pack_device_header(const DeviceHeader& header, std::span<std::byte> out) {
    CMIRROR_INVARIANT(out.size() >= device_header_size);
    const HeaderOnDisk on_disk{le32{device_magic}, le32{header.version}, le64{header.region_count}};
    std::fill_n(out.begin(), device_header_size, std::byte{0});
    std::memcpy(out.data(), &on_disk, sizeof on_disk);
}

void unpack_device_words(std::span<const std::byte> bytes, std::span<std::uint32_t> out) {
    CMIRROR_INVARIANT(out.size() <= bytes.size() / sizeof(le32));
    for (std::size_t i = 0; i < out.size(); ++i) {
        le32 word;
        std::memcpy(&word, bytes.data() + i * sizeof word, sizeof word);
        out[i] = word.value();
    }
}

void pack_device_words(std::span<const std::uint32_t> words, std::span<std::byte> out) {
    CMIRROR_INVARIANT(words.size() <= out.size() / sizeof(le32));
    for (std::size_t i = 0; i < words.size(); ++i) {
        const le32 word{words[i]};
        std::memcpy(out.data() + i * sizeof word, &word, sizeof word);
    }
}

}  // namespace cmirror
