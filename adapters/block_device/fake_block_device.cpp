#include "adapters/block_device/fake_block_device.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace cmirror {
namespace {

static_assert(FakeDisk::lost_code == ENODEV);

Failure<DeviceError> failure(int code) {
    return Failure<DeviceError>{{code, std::string{"fake disk: "} + std::strerror(code)}};
}

}  // namespace

int FakeDisk::begin(Call call) {
    if (away_) return lost_code;
    if (hook_) hook_(call);
    if (away_) return lost_code;
    if (call == Call::read) ++reads_;
    if (call == Call::write) ++writes_;
    auto& fault = failures_[call];
    if (fault.count == 0) return 0;
    --fault.count;
    return fault.code;
}

Result<void, DeviceError> FakeBlockDevice::read(std::uint64_t offset, std::span<std::byte> out) {
    if (const int code = disk_->begin(FakeDisk::Call::read); code != 0) return failure(code);
    const auto& bytes = disk_->bytes_;
    if (offset > bytes.size() || out.size() > bytes.size() - offset) return failure(EINVAL);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
}

Result<void, DeviceError> FakeBlockDevice::write_durably(const DeviceBlocks& blocks) {
    if (const int code = disk_->begin(FakeDisk::Call::write); code != 0) return failure(code);
    auto& bytes = disk_->bytes_;
    for (const auto& block : blocks)
        if (block.offset > bytes.size() || block.bytes.size() > bytes.size() - block.offset) return failure(EINVAL);
    const auto tear = std::exchange(disk_->tear_, std::nullopt);
    auto left = tear ? tear->size : SIZE_MAX;
    for (const auto& block : blocks) {
        const auto size = std::min(left, block.bytes.size());
        std::copy_n(block.bytes.begin(), size, bytes.begin() + static_cast<std::ptrdiff_t>(block.offset));
        disk_->bytes_written_ += size;
        left -= size;
    }
    if (!tear) return {};
    if (std::exchange(disk_->goes_away_after_tear_, false)) disk_->away_ = true;
    return failure(tear->code);
}

Result<std::unique_ptr<BlockDevice>, DeviceError> FakeBlockDeviceProvider::open(std::string_view name) {
    const auto found = disks_.find(std::string{name});
    if (found == disks_.end()) return failure(ENXIO);
    if (const int code = found->second->begin(FakeDisk::Call::open); code != 0) return failure(code);
    return std::make_unique<FakeBlockDevice>(found->second);
}

}  // namespace cmirror
