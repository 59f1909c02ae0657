// The command line of cmirror-sim.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "messages/result.hpp"
#include "tests/sim/runner.hpp"

namespace cmirror::sim {

struct CommandLine {
    BatchOptions batch;
    bool help = false;
    /// Print the story of the one seed.
    bool trace = false;
    /// A file of command lines, one a line: each is run. Empty: none.
    std::string kept;
};

std::string_view usage();
Result<CommandLine, std::string> parse_command_line(std::span<const char* const> arguments);
/// What main() does with it; returns the exit code.
int run_command(const CommandLine& command);

}  // namespace cmirror::sim
