// `cmirrorctl watch`: the terminal.
#pragma once

#include <chrono>

#include "main/ctl/commands.hpp"

namespace cmirror::ctl {

/// Shows the mirrors again and again until `q`, Ctrl-C, or the end of the input. Without a terminal it prints one
/// screen below the other, or with --json one line an answer.
int watch(const Context& context, std::chrono::milliseconds interval);

}  // namespace cmirror::ctl
