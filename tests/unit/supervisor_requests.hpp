// Requests of a kernel, for tests of the supervisor.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "messages/kernel_request.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror::test {

inline KernelRequest request(RequestType type, Luid luid, std::string_view name = "log") {
    return {.seq = 7, .type = type, .version = 2, .luid = luid, .uuid = uuid(name), .payload = {}};
}

inline KernelRequest ctr(Luid luid, std::string_view name = "log", std::string text = "100 clustered-core 8",
                         bool reconnect = false) {
    auto made = request(RequestType::ctr, luid, name);
    made.payload = ConstructorText{std::move(text), reconnect};
    return made;
}

}  // namespace cmirror::test
