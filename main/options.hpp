// The command line of cmirrord.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "messages/result.hpp"

namespace cmirror {

struct Options {
    bool foreground = false;
    bool help = false;
    /// Path of a Unix datagram socket where a program stands in for the kernel; empty: the kernel's connector.
    std::string kernel_stand_in;
    /// A node that the ring has lost for so long counts as fenced; 0: never.
    std::chrono::seconds fenced_after{0};

    friend bool operator==(const Options&, const Options&) = default;
};

/// Where the daemon listens for cmirrorctl.
inline constexpr std::string_view control_socket_path = "/run/cmirrord/control.sock";

/// How cmirrord is to be called.
std::string_view usage();

/// `arguments` without the program's name. An error is a line that says what is wrong.
Result<Options, std::string> parse_options(std::span<const char* const> arguments);

}  // namespace cmirror
