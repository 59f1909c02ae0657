#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>

#include "adapters/block_device/linux_block_device.hpp"

namespace cmirror {
namespace {

struct DeviceNumber {
    unsigned major = 0;
    unsigned minor = 0;
};

std::optional<unsigned> number_of(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Nothing for a name that is a path.
std::optional<DeviceNumber> device_number_of(std::string_view name) {
    const auto colon = name.find(':');
    if (colon == std::string_view::npos || name.find('/') != std::string_view::npos) return std::nullopt;
    const auto major = number_of(name.substr(0, colon));
    const auto minor = number_of(name.substr(colon + 1));
    if (!major || !minor) return std::nullopt;
    return DeviceNumber{*major, *minor};
}

Failure<DeviceError> failure(int code, const std::string& text) {
    return Failure<DeviceError>{{code, text + ": " + std::strerror(code)}};
}

/// The name in /dev that the kernel gives the device, or nothing.
std::optional<std::string> name_in_sysfs(const std::string& sys, std::string_view number) {
    std::ifstream events{sys + "/dev/block/" + std::string{number} + "/uevent"};
    constexpr std::string_view key = "DEVNAME=";
    for (std::string line; std::getline(events, line);)
        if (line.starts_with(key) && line.find("..") == std::string::npos) return line.substr(key.size());
    return std::nullopt;
}

/// 0 if `descriptor` is a block device, and the one with that number if one is given.
int check(int descriptor, std::optional<DeviceNumber> wanted) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return errno;
    if (!S_ISBLK(status.st_mode)) return ENOTBLK;
    if (wanted && status.st_rdev != ::makedev(wanted->major, wanted->minor)) return ENXIO;
    return 0;
}

/// Opens `path` once it is known to be what was named: opening something else could have effects of its own.
Result<UniqueFd, int> open_checked(const std::string& path, std::optional<DeviceNumber> wanted, int flags) {
    const UniqueFd place{::open(path.c_str(), O_PATH | O_CLOEXEC | flags)};
    if (!place.is_open()) return Failure<int>{errno};
    if (const int code = check(place.get(), wanted); code != 0) return Failure<int>{code};
    const auto same = "/proc/self/fd/" + std::to_string(place.get());
    UniqueFd device{::open(same.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC)};
    if (!device.is_open()) return Failure<int>{errno};
    if (const int code = check(device.get(), wanted); code != 0) return Failure<int>{code};
    return device;
}

Result<UniqueFd, DeviceError> open_number(const DeviceFolders& folders, std::string_view name, DeviceNumber number) {
    const std::string text{name};
    // udev's link; it may be stale or missing.
    auto device = open_checked(folders.dev + "/block/" + text, number, 0);
    if (device) return std::move(*device);
    const auto node = name_in_sysfs(folders.sys, name);
    if (!node) return failure(ENXIO, "there is no block device " + text);
    device = open_checked(folders.dev + "/" + *node, number, O_NOFOLLOW);
    if (device) return std::move(*device);
    const auto path = folders.dev + "/" + *node;
    if (device.error() == ENOENT || device.error() == ENXIO || device.error() == ENOTBLK || device.error() == ELOOP)
        return failure(device.error(), "the block device " + text + " has no node " + path +
                                           ": start udev or make the node with `mknod " + path + " b " +
                                           std::to_string(number.major) + " " + std::to_string(number.minor) + "`");
    return failure(device.error(), "cannot open the log device " + text + " (" + path + ")");
}

}  // namespace

Result<std::unique_ptr<BlockDevice>, DeviceError> LinuxBlockDeviceProvider::open(std::string_view name) {
    const std::string text{name};
    if (const auto number = device_number_of(name)) {
        auto device = open_number(folders_, name, *number);
        if (!device) return Failure<DeviceError>{device.error()};
        return LinuxBlockDevice::adopt(std::move(*device), text);
    }
    if (!name.starts_with('/') || name.find('\0') != std::string_view::npos)
        return failure(EINVAL,
                       "the log device must be named by major:minor or by an absolute path, not `" + text + "`");
    auto device = open_checked(text, std::nullopt, 0);
    if (!device && device.error() == ENOTBLK) return failure(ENOTBLK, text + " is not a block device");
    if (!device) return failure(device.error(), "cannot open the log device " + text);
    return LinuxBlockDevice::adopt(std::move(*device), text);
}

}  // namespace cmirror
