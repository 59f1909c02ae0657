// Disks in memory, with verbs for what disks do to those who trust them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "messages/ports.hpp"

namespace cmirror {

/// What stays when the device is closed, and when the machine crashes.
class FakeDisk {
  public:
    enum class Call : std::uint8_t { open, read, write };

    explicit FakeDisk(std::uint64_t size_bytes) : bytes_(size_bytes) {}

    // -- faults -----------------------------------------------------------------------------------
    /// The next `count` calls of that kind fail with the positive errno `code` and change nothing.
    void fail_next(Call call, int code, std::size_t count = 1) { failures_[call] = {code, count}; }
    /// The next write puts only its first `size` bytes on the disk, then fails with `code`.
    void tear_next_write(std::size_t size, int code) { tear_ = {size, code}; }
    /// The machine loses power within the next write, after its first `size` bytes; then the disk is away.
    void lose_power_in_next_write(std::size_t size) {
        tear_next_write(size, lost_code);
        goes_away_after_tear_ = true;
    }
    /// Every call fails until the disk comes back. What was written durably is still there.
    void goes_away() { away_ = true; }
    void comes_back() { away_ = false; }
    /// Called at the start of every call that reaches the disk: stands for the time that it takes.
    void on_call(std::function<void(Call)> hook) { hook_ = std::move(hook); }

    // -- what is ------------------------------------------------------------------------------------
    std::vector<std::byte>& bytes() { return bytes_; }
    bool is_away() const { return away_; }
    std::uint64_t reads() const { return reads_; }
    std::uint64_t writes() const { return writes_; }
    std::uint64_t bytes_written() const { return bytes_written_; }

    static constexpr int lost_code = 19;  // ENODEV

  private:
    friend class FakeBlockDevice;
    friend class FakeBlockDeviceProvider;

    struct Fault {
        int code = 0;
        std::size_t count = 0;
    };
    struct Tear {
        std::size_t size = 0;
        int code = 0;
    };

    /// 0, or why the call fails.
    int begin(Call call);

    std::vector<std::byte> bytes_;
    std::map<Call, Fault> failures_;
    std::optional<Tear> tear_;
    bool goes_away_after_tear_ = false;
    bool away_ = false;
    std::function<void(Call)> hook_;
    std::uint64_t reads_ = 0;
    std::uint64_t writes_ = 0;
    std::uint64_t bytes_written_ = 0;
};

/// A write that succeeded is durable; one that failed may be there in part.
class FakeBlockDevice final : public BlockDevice {
  public:
    explicit FakeBlockDevice(std::shared_ptr<FakeDisk> disk) : disk_(std::move(disk)) {}

    std::uint64_t size_bytes() const override { return disk_->bytes_.size(); }
    Result<void, DeviceError> read(std::uint64_t offset, std::span<std::byte> out) override;
    Result<void, DeviceError> write_durably(const DeviceBlocks& blocks) override;

  private:
    std::shared_ptr<FakeDisk> disk_;
};

/// The same disk may have several names, and be shared by the providers of several nodes.
class FakeBlockDeviceProvider final : public BlockDeviceProvider {
  public:
    void add(std::string name, std::shared_ptr<FakeDisk> disk) { disks_[std::move(name)] = std::move(disk); }
    void remove(const std::string& name) { disks_.erase(name); }

    Result<std::unique_ptr<BlockDevice>, DeviceError> open(std::string_view name) override;

  private:
    std::map<std::string, std::shared_ptr<FakeDisk>> disks_;
};

}  // namespace cmirror
