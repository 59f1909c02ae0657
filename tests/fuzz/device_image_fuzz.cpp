// What a log device may hold when a mirror is started with it: a region that it does not call clean is never in sync.
#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "actors/log_device/log_device_core.hpp"
#include "messages/invariant.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/unit/log_cluster.hpp"

namespace cmirror {
namespace {

constexpr std::size_t device_size = 8192;

/// A device that holds what the input says.
class InputDevice final : public BlockDevice {
  public:
    explicit InputDevice(const std::vector<std::byte>& bytes) : bytes_(bytes) {}
    std::uint64_t size_bytes() const override { return bytes_.size(); }
    Result<void, DeviceError> read(std::uint64_t offset, std::span<std::byte> out) override {
        if (offset > bytes_.size() || out.size() > bytes_.size() - offset)
            return Failure<DeviceError>(DeviceError{EINVAL, "behind the end"});
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return {};
    }
    Result<void, DeviceError> write_durably(const DeviceBlocks&) override { return {}; }

  private:
    const std::vector<std::byte>& bytes_;
};

class InputProvider final : public BlockDeviceProvider {
  public:
    explicit InputProvider(const std::vector<std::byte>& bytes) : bytes_(bytes) {}
    Result<std::unique_ptr<BlockDevice>, DeviceError> open(std::string_view) override {
        return std::make_unique<InputDevice>(bytes_);
    }

  private:
    const std::vector<std::byte>& bytes_;
};

void try_reading(const std::vector<std::byte>& bytes, std::uint64_t region_count) {
    InputProvider provider(bytes);
    LogDeviceCore core(provider, "8:0");
    static_cast<void>(core.open());
    const auto image = core.read(region_count);
    if (!image || !image->is_log) return;
    CMIRROR_INVARIANT(image->words.size() == device_words(std::min(region_count, image->region_count)));
}

void try_mirror(const std::vector<std::byte>& bytes, std::uint64_t region_count, bool nosync) {
    using mirror_log::LogCluster;
    LogCluster cluster(std::to_string(region_count * 8) + " clustered-disk 8:0 8" + (nosync ? " nosync" : ""));
    cluster.device.bytes = bytes;
    const auto image = cluster.device.image(region_count);
    cluster.start(1);
    for (std::uint64_t region = 0; region < region_count; ++region) {
        const auto reply = cluster.call(1, RequestType::in_sync, region);
        CMIRROR_INVARIANT(reply && reply->error == 0);
        const bool on_device = image.is_log && region < image.region_count;
        const bool clean = on_device && (image.words[region / 32] >> (region % 32) & 1U) != 0;
        if (std::get<std::uint64_t>(reply->payload) != 0) CMIRROR_INVARIANT(clean || (nosync && !on_device));
    }
}

}  // namespace
}  // namespace cmirror

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cmirror;
    fuzz::Input input(data, size);
    const bool nosync = input.flag();
    const bool whole = input.flag();
    const std::uint64_t region_count = 1 + input.number(2) % 600;
    const auto rest = input.rest();
    std::vector<std::byte> bytes(rest.begin(), rest.end());
    try_reading(bytes, whole ? region_count : region_count << 20U);
    bytes.resize(device_size);
    try_mirror(bytes, region_count, nosync);
    return 0;
}
