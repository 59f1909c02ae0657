// cmirror-sim: the daemon's actors on simulated nodes.
#include <cstdio>

#include "tests/sim/command_line.hpp"

int main(int argc, char** argv) {
    using namespace cmirror::sim;
    const auto command = parse_command_line(std::span(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0));
    if (!command) {
        std::fprintf(stderr, "cmirror-sim: %s\n%s", command.error().c_str(), usage().data());
        return 2;
    }
    return run_command(*command);
}
