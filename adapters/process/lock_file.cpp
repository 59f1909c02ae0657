#include "adapters/process/lock_file.hpp"

#include <fcntl.h>
#include <libdevmapper.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "adapters/unique_fd.hpp"

namespace cmirror {
namespace {

/// libdevmapper's own lines go to the terminal otherwise; what failed is said by our caller.
extern "C" void ignore_line(int, const char*, int, int, const char*, ...) {}

/// The process that has the lock, or 0.
pid_t holder_of(const std::string& path) {
    const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (!file.is_open() || ::fcntl(file.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
    return lock.l_pid;
}

}  // namespace

Result<LockFile, LockFailure> LockFile::acquire(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
        return Failure<LockFailure>{{0, path + " is a link or no file: remove it"}};
    ::dm_log_with_errno_init(ignore_line);
    const bool locked = ::dm_create_lockfile(path.c_str()) == 1;
    ::dm_log_with_errno_init(nullptr);
    if (locked) return LockFile{path};
    if (const pid_t holder = holder_of(path); holder != 0)
        return Failure<LockFailure>{{holder, "cmirrord is already running as process " + std::to_string(holder) +
                                                 ", which holds " + path + ": stop that one first"}};
    return Failure<LockFailure>{
        {0, "cannot create and lock " + path + ": check that its folder exists and can be written to as root"}};
}

LockFile::LockFile(LockFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}

LockFile::~LockFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace cmirror
