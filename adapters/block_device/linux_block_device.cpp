#include "adapters/block_device/linux_block_device.hpp"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cmirror {
namespace {

constexpr std::size_t alignment = 4096;

std::uint64_t round_up(std::uint64_t value, std::size_t unit) {
    return (value + unit - 1) / unit * unit;
}
std::uint64_t round_down(std::uint64_t value, std::size_t unit) {
    return value / unit * unit;
}

}  // namespace

Result<std::unique_ptr<LinuxBlockDevice>, DeviceError> LinuxBlockDevice::adopt(UniqueFd descriptor, std::string name) {
    std::uint64_t size = 0;
    int sector = 0;
    if (::ioctl(descriptor.get(), BLKGETSIZE64, &size) != 0 || ::ioctl(descriptor.get(), BLKSSZGET, &sector) != 0)
        return Failure<DeviceError>{{errno, "cannot find the size of " + name + ": " + std::strerror(errno)}};
    if (sector <= 0 || static_cast<std::size_t>(sector) > buffer_bytes)
        return Failure<DeviceError>{{EINVAL, name + " has sectors of " + std::to_string(sector) + " bytes"}};
    const auto sector_bytes = static_cast<std::size_t>(sector);
    Buffer buffer{static_cast<std::byte*>(std::aligned_alloc(std::max(alignment, sector_bytes), buffer_bytes))};
    if (!buffer) return Failure<DeviceError>{{ENOMEM, "no memory for the buffer of " + name}};
    // With all memory locked as it is touched, this is where it becomes resident.
    std::memset(buffer.get(), 0, buffer_bytes);
    return std::unique_ptr<LinuxBlockDevice>{
        new LinuxBlockDevice{std::move(descriptor), std::move(name), size, sector_bytes, std::move(buffer)}};
}

Failure<DeviceError> LinuxBlockDevice::failure(const char* action, std::uint64_t offset, int code) const {
    return Failure<DeviceError>{{code, std::string{"cannot "} + action + " " + name_ + " at byte " +
                                           std::to_string(offset) + ": " + std::strerror(code)}};
}

Result<void, DeviceError> LinuxBlockDevice::read_aligned(std::uint64_t offset, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
        const auto got =
            ::pread(descriptor_.get(), buffer_.get() + done, size - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failure("read", offset + done, errno);
        // The device shrank, or gave part of a sector: neither can go on.
        if (got == 0 || static_cast<std::size_t>(got) % sector_bytes_ != 0) return failure("read", offset + done, EIO);
        done += static_cast<std::size_t>(got);
    }
    return {};
}

Result<void, DeviceError> LinuxBlockDevice::read(std::uint64_t offset, std::span<std::byte> out) {
    if (!lies_on_device(offset, out.size())) return failure("read past the end of", offset, EINVAL);
    while (!out.empty()) {
        const auto start = round_down(offset, sector_bytes_);
        const auto skip = static_cast<std::size_t>(offset - start);
        const auto end = std::min(round_up(offset + out.size(), sector_bytes_), start + buffer_bytes);
        if (auto outcome = read_aligned(start, static_cast<std::size_t>(end - start)); !outcome) return outcome;
        const auto size = std::min(out.size(), static_cast<std::size_t>(end - offset));
        std::memcpy(out.data(), buffer_.get() + skip, size);
        out = out.subspan(size);
        offset += size;
    }
    return {};
}

Result<void, DeviceError> LinuxBlockDevice::write_aligned(std::uint64_t offset, std::size_t size, bool durable) {
    std::size_t done = 0;
    while (done < size) {
        const iovec part{buffer_.get() + done, size - done};
        const int flags = durable && knows_dsync_ ? RWF_DSYNC : 0;
        const auto put = ::pwritev2(descriptor_.get(), &part, 1, static_cast<off_t>(offset + done), flags);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && errno == EOPNOTSUPP && flags != 0) {
            knows_dsync_ = false;
            continue;
        }
        if (put < 0) return failure("write", offset + done, errno);
        if (put == 0 || static_cast<std::size_t>(put) % sector_bytes_ != 0) return failure("write", offset + done, EIO);
        done += static_cast<std::size_t>(put);
    }
    if (durable && !knows_dsync_ && ::fdatasync(descriptor_.get()) != 0) return failure("flush", offset, errno);
    return {};
}

Result<std::size_t, DeviceError> LinuxBlockDevice::gather(const DeviceBlocks& blocks, std::size_t& index) {
    const auto start = blocks[index].offset;
    std::size_t size = 0;
    while (index < blocks.size() && blocks[index].offset == start + size && size % sector_bytes_ == 0 &&
           blocks[index].bytes.size() <= buffer_bytes - size) {
        std::memcpy(buffer_.get() + size, blocks[index].bytes.data(), blocks[index].bytes.size());
        size += blocks[index].bytes.size();
        ++index;
    }
    const auto whole = static_cast<std::size_t>(round_up(size, sector_bytes_));
    if (whole == size) return size;
    // The rest of the last sector stays as it is on the device. At most one sector: the buffer's end is free for it.
    std::byte* tail = buffer_.get() + (whole - sector_bytes_);
    const std::size_t kept = size - (whole - sector_bytes_);
    const std::vector<std::byte> front(tail, tail + kept);
    ssize_t got = 0;
    do
        got = ::pread(descriptor_.get(), tail, sector_bytes_, static_cast<off_t>(start + whole - sector_bytes_));
    while (got < 0 && errno == EINTR);
    if (got != static_cast<ssize_t>(sector_bytes_)) return failure("read", start, got < 0 ? errno : EIO);
    std::copy(front.begin(), front.end(), tail);
    return whole;
}

Result<void, DeviceError> LinuxBlockDevice::write_durably(const DeviceBlocks& blocks) {
    for (const auto& block : blocks) {
        if (block.bytes.empty() || block.bytes.size() > buffer_bytes || block.offset % sector_bytes_ != 0)
            return failure("write an unaligned block to", block.offset, EINVAL);
        if (!lies_on_device(block.offset, block.bytes.size()))
            return failure("write past the end of", block.offset, EINVAL);
    }
    std::size_t index = 0;
    bool first = true;
    while (index < blocks.size()) {
        const auto offset = blocks[index].offset;
        const auto size = gather(blocks, index);
        if (!size) return Failure<DeviceError>{size.error()};
        // One run is written through; several share one flush.
        const bool only = std::exchange(first, false) && index == blocks.size();
        if (auto outcome = write_aligned(offset, *size, only); !outcome) return outcome;
        if (only) return {};
    }
    if (!blocks.empty() && ::fdatasync(descriptor_.get()) != 0) return failure("flush", blocks.front().offset, errno);
    return {};
}

}  // namespace cmirror
