// What a log device holds, read and written through a BlockDevice (spec/disk.md). The calls block.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "messages/disk_request.hpp"
#include "messages/ports.hpp"
#include "messages/wire_disk.hpp"

namespace cmirror {

/// Opens a log device, checks that it is large enough, reads its header and map, writes blocks.
class LogDeviceCore {
  public:
    /// Bytes read with one call at most.
    static constexpr std::size_t piece_size = std::size_t{256} * 1024;

    /// `provider` must outlive this; `name` is `major:minor` or a path.
    LogDeviceCore(BlockDeviceProvider& provider, std::string_view name) : provider_(provider), name_(name) {}

    /// The device's size in bytes. May be called again after a failure.
    Result<std::uint64_t, DeviceError> open();

    /// The header and the map of at most `region_count` regions. Fails if the device cannot hold `region_count`.
    Result<DeviceImage, DeviceError> read(std::uint64_t region_count);

    /// Writes durably. After a failure the device stays open: a later write may succeed.
    Result<void, DeviceError> write(const DeviceBlocks& blocks);

  private:
    Result<void, DeviceError> read_words(DeviceImage& image);
    std::optional<DeviceError> not_open() const;

    BlockDeviceProvider& provider_;
    std::string name_;
    std::unique_ptr<BlockDevice> device_;
};

}  // namespace cmirror
