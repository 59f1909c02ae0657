// Addresses of Unix sockets.
#pragma once

#include <sys/un.h>

#include <cstring>
#include <string>

#include "messages/invariant.hpp"

namespace cmirror::test {

/// Invariant: the path fits, with its NUL.
inline sockaddr_un unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CMIRROR_INVARIANT(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

}  // namespace cmirror::test
