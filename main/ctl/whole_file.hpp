// Files that others read at any time.
#pragma once

#include <sys/types.h>

#include <string>

#include "messages/result.hpp"

namespace cmirror::ctl {

/// `path` holds `text` and has the permissions `mode`, or is as it was: nobody sees half of it, and it outlives a power
/// cut. Written beside it first, in a new file: a link that lies there is not followed. Error: one line.
Result<void, std::string> replace_file(const std::string& path, const std::string& text, mode_t mode);

}  // namespace cmirror::ctl
