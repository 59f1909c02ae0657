#include "adapters/disk/linux_disk_inspector.hpp"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "adapters/system_failure.hpp"
#include "adapters/unique_fd.hpp"
#include "messages/wire_disk.hpp"

namespace cmirror {
namespace {

/// What wipe_log() overwrites: the block with the log's header.
constexpr std::size_t wiped_bytes = 4096;

Failure<std::string> failure(const std::string& path, const std::string& what) {
    return system_failure(path + ": " + what);
}

struct EndProbe {
    void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<std::remove_pointer_t<blkid_probe>, EndProbe>;

/// A file system, a partition table, a part of something larger; empty if libblkid knows nothing like it.
std::string known_contents(int descriptor) {
    const Probe probe{blkid_new_probe()};
    if (!probe || blkid_probe_set_device(probe.get(), descriptor, 0, 0) != 0) return {};
    blkid_probe_enable_superblocks(probe.get(), 1);
    blkid_probe_enable_partitions(probe.get(), 1);
    const char* found = nullptr;
    // "Ambivalent" (-2) is something, too.
    if (blkid_do_safeprobe(probe.get()) == -2) return "more than one known format";
    for (const auto* name : {"TYPE", "PTTYPE"})
        if (blkid_probe_lookup_value(probe.get(), name, &found, nullptr) == 0) return found;
    return {};
}

bool holds_log(int descriptor) {
    std::array<std::byte, device_header_size> header{};
    return ::pread(descriptor, header.data(), header.size(), 0) == static_cast<ssize_t>(header.size()) &&
           unpack_device_header(header).has_value();
}

}  // namespace

Result<DiskFacts, std::string> LinuxDiskInspector::inspect(const std::string& path) {
    const UniqueFd disk{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!disk.is_open())
        return failure(path, errno == EACCES ? "cannot be opened, run this as root" : "cannot be opened");
    struct stat status {};
    if (::fstat(disk.get(), &status) != 0) return failure(path, "cannot be looked at");
    if (!S_ISBLK(status.st_mode)) return Failure<std::string>(path + ": is no block device");
    DiskFacts facts{.major = ::major(status.st_rdev), .minor = ::minor(status.st_rdev)};
    if (::ioctl(disk.get(), BLKGETSIZE64, &facts.bytes) != 0) return failure(path, "does not tell its size");
    const UniqueFd alone{::open(path.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC)};
    facts.in_use = !alone.is_open() && errno == EBUSY;
    facts.contents = holds_log(disk.get()) ? "mirror log" : known_contents(disk.get());
    return facts;
}

Result<void, std::string> LinuxDiskInspector::wipe_log(const std::string& path) {
    const UniqueFd disk{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (!disk.is_open()) return failure(path, "cannot be opened for writing");
    const std::array<std::byte, wiped_bytes> zeros{};
    if (::pwrite(disk.get(), zeros.data(), zeros.size(), 0) != static_cast<ssize_t>(zeros.size()) ||
        ::fsync(disk.get()) != 0)
        return failure(path, "cannot be written");
    return {};
}

}  // namespace cmirror
