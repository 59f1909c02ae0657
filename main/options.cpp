#include "main/options.hpp"

namespace cmirror {
namespace {

constexpr std::string_view stand_in_prefix = "unix:";

/// The path in the value of --kernel.
Result<std::string, std::string> stand_in_path(std::string_view value) {
    if (!value.starts_with(stand_in_prefix) || value.size() == stand_in_prefix.size())
        return Failure<std::string>("--kernel takes unix:PATH, not \"" + std::string(value) + "\"");
    return std::string(value.substr(stand_in_prefix.size()));
}

}  // namespace

std::string_view usage() {
    return "Usage: cmirrord [-f|--foreground] [-h|--help] [--kernel unix:PATH]\n"
           "\n"
           "Keeps the logs of device-mapper mirrors that several nodes of a cluster use at once.\n"
           "\n"
           "  -f, --foreground     do not go into the background; write to the terminal instead of syslog\n"
           "  -h, --help           show this text\n"
           "      --kernel unix:PATH\n"
           "                       for tests: take requests from a Unix datagram socket instead of the kernel;\n"
           "                       the lock file is then PATH.pid instead of /run/cmirrord.pid\n";
}

Result<Options, std::string> parse_options(std::span<const char* const> arguments) {
    constexpr std::string_view kernel = "--kernel";
    Options options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (argument == "-f" || argument == "--foreground") {
            options.foreground = true;
        } else if (argument == "-h" || argument == "--help") {
            options.help = true;
        } else if (argument == kernel || argument.starts_with("--kernel=")) {
            const bool attached = argument != kernel;
            if (!attached && i + 1 == arguments.size()) return Failure<std::string>("--kernel needs a value");
            const auto path = stand_in_path(attached ? argument.substr(kernel.size() + 1) : arguments[++i]);
            if (!path) return Failure<std::string>(path.error());
            options.kernel_stand_in = *path;
        } else {
            return Failure<std::string>("unknown option \"" + std::string(argument) + "\"");
        }
    }
    return options;
}

}  // namespace cmirror
