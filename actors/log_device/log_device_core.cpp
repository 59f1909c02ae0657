#include "actors/log_device/log_device_core.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "messages/invariant.hpp"

namespace cmirror {
namespace {

// The block behind the header starts in the middle of a device block: pieces are read whole blocks at a time.
static_assert(LogDeviceCore::piece_size % device_block_size == 0 && device_header_size < device_block_size);

/// No device holds a map that ends behind this.
constexpr std::uint64_t region_count_max = std::numeric_limits<std::uint64_t>::max() / 2;

}  // namespace

Result<std::uint64_t, DeviceError> LogDeviceCore::open() {
    device_.reset();
    auto opened = provider_.open(name_);
    if (!opened) return Failure<DeviceError>(std::move(opened.error()));
    device_ = std::move(*opened);
    CMIRROR_INVARIANT(device_ != nullptr);
    return device_->size_bytes();
}

Result<DeviceImage, DeviceError> LogDeviceCore::read(std::uint64_t region_count) {
    if (auto closed = not_open()) return Failure<DeviceError>(std::move(*closed));
    const auto size = device_->size_bytes();
    if (region_count > region_count_max || size < device_bytes(region_count)) {
        const auto needed = region_count > region_count_max ? std::string("more than any device")
                                                            : std::to_string(device_bytes(region_count)) + " bytes";
        return Failure<DeviceError>(DeviceError{ENOSPC, "log device " + name_ + " is too small: it has " +
                                                            std::to_string(size) + " bytes, a log of " +
                                                            std::to_string(region_count) + " regions needs " + needed});
    }
    std::vector<std::byte> first(static_cast<std::size_t>(std::min<std::uint64_t>(size, device_block_size)));
    if (auto done = device_->read(0, first); !done) return Failure<DeviceError>(std::move(done.error()));
    DeviceImage image;
    const auto header = unpack_device_header(first);
    if (!header) return image;  // no log: nothing of it means anything to us
    image.is_log = true;
    image.version = header->version;
    image.region_count = header->region_count;
    image.words.resize(static_cast<std::size_t>(device_words(std::min(header->region_count, region_count))));
    if (auto done = read_words(image); !done) return Failure<DeviceError>(std::move(done.error()));
    return image;
}

Result<void, DeviceError> LogDeviceCore::read_words(DeviceImage& image) {
    const auto map_end = device_header_size + std::uint64_t{image.words.size()} * 4;
    const auto size = device_->size_bytes();
    CMIRROR_INVARIANT(map_end <= size);
    std::vector<std::byte> piece;
    std::span<std::uint32_t> left(image.words);
    for (std::uint64_t offset = 0; !left.empty(); offset += piece.size()) {
        // Whole blocks, but never behind the device's end.
        const auto blocks_end = (map_end + device_block_size - 1) / device_block_size * device_block_size;
        const auto wanted = std::min({std::uint64_t{piece_size}, blocks_end - offset, size - offset});
        piece.resize(static_cast<std::size_t>(wanted));
        if (auto done = device_->read(offset, piece); !done) return Failure<DeviceError>(std::move(done.error()));
        const auto bytes = std::span<const std::byte>(piece).subspan(offset == 0 ? device_header_size : 0);
        const auto words = std::min(bytes.size() / 4, left.size());
        CMIRROR_INVARIANT(words > 0);
        unpack_device_words(bytes, left.first(words));
        left = left.subspan(words);
    }
    return {};
}

Result<void, DeviceError> LogDeviceCore::write(const DeviceBlocks& blocks) {
    if (auto closed = not_open()) return Failure<DeviceError>(std::move(*closed));
    for (const auto& block : blocks)
        CMIRROR_INVARIANT(block.offset % device_block_size == 0 && block.bytes.size() <= device_block_size);
    if (auto done = device_->write_durably(blocks); !done) return Failure<DeviceError>(std::move(done.error()));
    return {};
}

std::optional<DeviceError> LogDeviceCore::not_open() const {
    if (device_ != nullptr) return std::nullopt;
    return DeviceError{EBADF, "log device " + name_ + " is not open"};
}

}  // namespace cmirror
