// What a call of the system says when it fails.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include "messages/result.hpp"

namespace cmirror {

/// `what`, and the system's words for `code`, a positive errno.
inline std::string with_reason(const std::string& what, int code) {
    return what + " (" + std::strerror(code) + ")";
}

inline Failure<std::string> system_failure(const std::string& what, int code = errno) {
    return Failure<std::string>(with_reason(what, code));
}

}  // namespace cmirror
