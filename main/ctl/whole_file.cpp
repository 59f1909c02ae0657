#include "main/ctl/whole_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "adapters/system_failure.hpp"
#include "adapters/unique_fd.hpp"

namespace cmirror::ctl {
namespace {

/// What an earlier one left behind, or somebody put there, goes.
UniqueFd open_draft(const std::string& draft, mode_t mode) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd file{::open(draft.c_str(), flags, mode)};
    if (!file.is_open() && errno == EEXIST && ::unlink(draft.c_str()) == 0)
        file = UniqueFd{::open(draft.c_str(), flags, mode)};
    return file;
}

bool write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t size = ::write(file, text.data(), text.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
}

}  // namespace

Result<void, std::string> replace_file(const std::string& path, const std::string& text, mode_t mode) {
    const auto draft = path + ".new";
    const UniqueFd file = open_draft(draft, mode);
    if (!file.is_open()) return system_failure(path + ": cannot be written");
    // Whatever the umask says.
    const bool written = write_all(file.get(), text) && ::fchmod(file.get(), mode) == 0 && ::fsync(file.get()) == 0 &&
                         ::rename(draft.c_str(), path.c_str()) == 0;
    if (written) return {};
    const int code = errno;
    ::unlink(draft.c_str());
    return system_failure(path + ": cannot be written", code);
}

}  // namespace cmirror::ctl
