// A log device of this machine, read and written around the page cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// O_DIRECT throughout, by way of one aligned buffer that is allocated when the device is opened: reading and writing
/// allocate nothing. Errors are positive errnos with a text.
class LinuxBlockDevice final : public BlockDevice {
  public:
    /// Bytes read or written by one system call at most.
    static constexpr std::size_t buffer_bytes = std::size_t{128} * 1024;

    /// Takes an open block device over; `name` is for texts. Fails if its size cannot be found.
    static Result<std::unique_ptr<LinuxBlockDevice>, DeviceError> adopt(UniqueFd descriptor, std::string name);

    std::uint64_t size_bytes() const override { return size_bytes_; }
    /// Any offset and length; EINVAL past the end of the device.
    Result<void, DeviceError> read(std::uint64_t offset, std::span<std::byte> out) override;
    /// Neighbouring blocks in ascending order go in one system call. The last block may be cut off by the device's end;
    /// a block that reaches past it is EINVAL, and then nothing is written.
    Result<void, DeviceError> write_durably(const DeviceBlocks& blocks) override;

  private:
    struct Freed {
        void operator()(std::byte* memory) const { std::free(memory); }
    };
    using Buffer = std::unique_ptr<std::byte, Freed>;

    LinuxBlockDevice(UniqueFd descriptor, std::string name, std::uint64_t size, std::size_t sector, Buffer buffer)
        : descriptor_(std::move(descriptor)),
          name_(std::move(name)),
          size_bytes_(size),
          sector_bytes_(sector),
          buffer_(std::move(buffer)) {}

    Failure<DeviceError> failure(const char* action, std::uint64_t offset, int code) const;
    Result<void, DeviceError> read_aligned(std::uint64_t offset, std::size_t size);
    /// Writes the buffer's first `size` bytes; durably if `durable`.
    Result<void, DeviceError> write_aligned(std::uint64_t offset, std::size_t size, bool durable);
    /// Puts neighbouring blocks from `index` on into the buffer, whole sectors of them; moves `index` past them.
    Result<std::size_t, DeviceError> gather(const DeviceBlocks& blocks, std::size_t& index);
    bool lies_on_device(std::uint64_t offset, std::size_t size) const {
        return offset <= size_bytes_ && size <= size_bytes_ - offset;
    }

    UniqueFd descriptor_;
    std::string name_;
    std::uint64_t size_bytes_;
    /// The device's logical sector: the unit of O_DIRECT.
    std::size_t sector_bytes_;
    Buffer buffer_;
    /// Until the device says that it does not know RWF_DSYNC.
    bool knows_dsync_ = true;
};

/// Where device nodes and sysfs are; tests put other folders there.
struct DeviceFolders {
    std::string dev = "/dev";
    std::string sys = "/sys";
};

class LinuxBlockDeviceProvider final : public BlockDeviceProvider {
  public:
    explicit LinuxBlockDeviceProvider(DeviceFolders folders = {}) : folders_(std::move(folders)) {}

    /// `major:minor` is looked up in /dev/block, then by the name that sysfs gives the device, and what was opened must
    /// have exactly that number. No node is ever made.
    Result<std::unique_ptr<BlockDevice>, DeviceError> open(std::string_view name) override;

  private:
    DeviceFolders folders_;
};

}  // namespace cmirror
