#include "adapters/state_store/folder_state_store.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "adapters/system_failure.hpp"

namespace cmirror {
namespace {

std::string name_of(Luid luid) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%016llx.state", static_cast<unsigned long long>(luid));
    return text.data();
}

/// Mapped, so that what a request changes costs a copy and no call. Large patches are written: what is not touched of
/// the mapping takes no memory of the daemon's.
class FolderStateFile final : public StateFile {
  public:
    FolderStateFile(UniqueFd file, std::span<std::byte> memory) : file_(std::move(file)), memory_(memory) {}
    FolderStateFile(const FolderStateFile&) = delete;
    FolderStateFile& operator=(const FolderStateFile&) = delete;
    ~FolderStateFile() override { ::munmap(memory_.data(), memory_.size()); }

    Result<void, std::string> write(std::span<const StatePatch> patches) override {
        for (const StatePatch& patch : patches) {
            const bool fits = patch.offset <= memory_.size() && patch.bytes.size() <= memory_.size() - patch.offset;
            if (!fits) return Failure<std::string>("cannot write behind its end");
            if (patch.bytes.size() <= small_patch)
                std::memcpy(&memory_[patch.offset], patch.bytes.data(), patch.bytes.size());
            else if (auto written = write_large(patch); !written)
                return written;
        }
        return {};
    }

  private:
    static constexpr std::size_t small_patch = 4096;

    Result<void, std::string> write_large(const StatePatch& patch) {
        std::size_t done = 0;
        while (done < patch.bytes.size()) {
            const ssize_t size = ::pwrite(file_.get(), patch.bytes.data() + done, patch.bytes.size() - done,
                                          static_cast<off_t>(patch.offset + done));
            if (size < 0 && errno == EINTR) continue;
            if (size <= 0) return system_failure("cannot write it");
            done += static_cast<std::size_t>(size);
        }
        return {};
    }

    UniqueFd file_;
    std::span<std::byte> memory_;
};

Result<std::unique_ptr<FolderStateFile>, std::string> map_file(UniqueFd file, std::uint64_t size,
                                                               const std::string& name) {
    // A page that the file system has no room for must not be missed later, when it is written to.
    if (const int code = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size)); code != 0)
        return system_failure("cannot make " + name + " large enough", code);
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return system_failure("cannot map " + name);
    return std::make_unique<FolderStateFile>(std::move(file), std::span(static_cast<std::byte*>(memory), size));
}

}  // namespace

Result<std::unique_ptr<FolderStateStore>, std::string> FolderStateStore::open(const std::string& path) {
    if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) return system_failure("cannot make the folder " + path);
    UniqueFd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!folder.is_open()) return system_failure("cannot open the folder " + path);
    struct stat status {};
    if (::fstat(folder.get(), &status) != 0) return system_failure("cannot look at the folder " + path);
    if (status.st_uid != ::geteuid() || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return Failure<std::string>(
            path + " is somebody else's, or others can enter it: remove it, or `chmod 700` and `chown` it");
    return std::unique_ptr<FolderStateStore>{new FolderStateStore{std::move(folder)}};
}

Result<std::unique_ptr<StateFile>, std::string> FolderStateStore::begin(Luid luid, std::uint64_t size,
                                                                        std::span<const StatePatch> patches) {
    const std::string name = name_of(luid);
    const std::string unfinished = name + ".new";
    ::unlinkat(folder_.get(), unfinished.c_str(), 0);
    UniqueFd file{::openat(folder_.get(), unfinished.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                           S_IRUSR | S_IWUSR)};
    if (!file.is_open()) return system_failure("cannot make " + unfinished);
    auto made = map_file(std::move(file), size, unfinished);
    if (!made) return Failure<std::string>(made.error());
    if (auto written = (*made)->write(patches); !written) return Failure<std::string>(written.error());
    if (::renameat(folder_.get(), unfinished.c_str(), folder_.get(), name.c_str()) != 0)
        return system_failure("cannot rename " + unfinished);
    return std::move(*made);
}

std::optional<std::vector<std::byte>> FolderStateStore::read(Luid luid) {
    const UniqueFd file{::openat(folder_.get(), name_of(luid).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    struct stat status {};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_uid != ::geteuid() || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0 ||
        static_cast<std::uint64_t>(status.st_size) > file_size_max)
        return std::nullopt;
    std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t size = ::pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return std::nullopt;
        done += static_cast<std::size_t>(size);
    }
    return bytes;
}

void FolderStateStore::remove(Luid luid) {
    ::unlinkat(folder_.get(), name_of(luid).c_str(), 0);
}

}  // namespace cmirror
