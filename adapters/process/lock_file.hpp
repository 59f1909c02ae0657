// The file that keeps a second daemon from starting.
#pragma once

#include <sys/types.h>

#include <string>

#include "messages/result.hpp"

namespace cmirror {

/// Why the lock is not ours; `holder` is 0 unless another process has it.
struct LockFailure {
    pid_t holder = 0;
    /// One line that says what to do.
    std::string text;
};

/// Holds an fcntl write lock on a file that contains our pid (libdevmapper's dm_create_lockfile), and removes the file
/// at its end. The lock belongs to the process: take it after the last fork, and open the file nowhere else, since
/// closing any descriptor of it gives the lock up. libdevmapper keeps its descriptor until the process ends.
class LockFile {
  public:
    static constexpr const char* default_path = "/run/cmirrord.pid";

    static Result<LockFile, LockFailure> acquire(const std::string& path = default_path);

    LockFile(LockFile&& other) noexcept;
    LockFile& operator=(LockFile&&) = delete;
    LockFile(const LockFile&) = delete;
    LockFile& operator=(const LockFile&) = delete;
    ~LockFile();

  private:
    explicit LockFile(std::string path) : path_(std::move(path)) {}

    /// Empty in one that was moved from.
    std::string path_;
};

}  // namespace cmirror
