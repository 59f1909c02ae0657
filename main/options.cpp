#include "main/options.hpp"

#include <charconv>
#include <cstdint>
#include <system_error>

namespace cmirror {
namespace {

constexpr std::string_view stand_in_prefix = "unix:";

/// The path in the value of --kernel.
Result<std::string, std::string> stand_in_path(std::string_view value) {
    if (!value.starts_with(stand_in_prefix) || value.size() == stand_in_prefix.size())
        return Failure<std::string>("--kernel takes unix:PATH, not \"" + std::string(value) + "\"");
    return std::string(value.substr(stand_in_prefix.size()));
}

/// The value of --fenced-after: at least a second, at most a year.
Result<std::chrono::seconds, std::string> seconds_in(std::string_view value) {
    constexpr std::int64_t longest = std::int64_t{365} * 24 * 3600;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || number < 1 || number > longest)
        return Failure<std::string>("--fenced-after takes a number of seconds from 1 to " + std::to_string(longest) +
                                    ", not \"" + std::string(value) + "\"");
    return std::chrono::seconds{number};
}

}  // namespace

std::string_view usage() {
    return "Usage: cmirrord [-f|--foreground] [-h|--help] [--fenced-after SECONDS] [--kernel unix:PATH]\n"
           "\n"
           "Keeps the logs of device-mapper mirrors that several nodes of a cluster use at once.\n"
           "\n"
           "  -f, --foreground     do not go into the background; write to the terminal instead of syslog\n"
           "  -h, --help           show this text\n"
           "      --fenced-after SECONDS\n"
           "                       a node that the cluster has lost for so long has certainly been fenced: the regions "
           "it\n"
           "                       was writing are recovered without further proof (default: never)\n"
           "      --kernel unix:PATH\n"
           "                       for tests: take requests from a Unix datagram socket instead of the kernel;\n"
           "                       the lock file is then PATH.pid instead of /run/cmirrord.pid, the state files are "
           "in\n"
           "                       PATH.states, and the control socket is PATH.control\n";
}

Result<Options, std::string> parse_options(std::span<const char* const> arguments) {
    Options options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (argument == "-f" || argument == "--foreground") {
            options.foreground = true;
            continue;
        }
        if (argument == "-h" || argument == "--help") {
            options.help = true;
            continue;
        }
        // The others take a value, behind "=" or as the next word.
        const auto name = argument.substr(0, argument.find('='));
        if (name != "--kernel" && name != "--fenced-after")
            return Failure<std::string>("unknown option \"" + std::string(argument) + "\"");
        const bool attached = name.size() < argument.size();
        if (!attached && i + 1 == arguments.size()) return Failure<std::string>(std::string(name) + " needs a value");
        const std::string_view value = attached ? argument.substr(name.size() + 1) : arguments[++i];
        if (name == "--kernel") {
            const auto path = stand_in_path(value);
            if (!path) return Failure<std::string>(path.error());
            options.kernel_stand_in = *path;
        } else {
            const auto time = seconds_in(value);
            if (!time) return Failure<std::string>(time.error());
            options.fenced_after = *time;
        }
    }
    return options;
}

}  // namespace cmirror
