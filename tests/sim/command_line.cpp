#include "tests/sim/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

namespace cmirror::sim {

namespace {

constexpr unsigned nodes_max = 16;
constexpr double minutes_max = 24 * 60;

template <class Number>
std::optional<Number> number_of(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_fault(std::string_view name) {
    for (std::size_t i = 0; i < fault_count; ++i)
        if (name_of(static_cast<Fault>(i)) == name) return true;
    return false;
}

/// False if the value does not suit the option.
bool take(CommandLine& command, std::string_view option, std::string_view value) {
    BatchOptions& batch = command.batch;
    if (option == "--seed" || option == "--seeds") {
        const auto number = number_of<std::uint64_t>(value);
        if (!number || (option == "--seeds" && *number == 0)) return false;
        (option == "--seed" ? batch.first_seed : batch.seeds) = *number;
    } else if (option == "--nodes") {
        const auto number = number_of<unsigned>(value);
        if (!number || *number == 0 || *number > nodes_max) return false;
        batch.run.nodes = *number;
    } else if (option == "--minutes") {
        const auto number = number_of<double>(value);
        if (!number || !(*number > 0) || *number > minutes_max) return false;
        batch.run.length = std::chrono::duration_cast<Instant>(std::chrono::duration<double>(*number * 60));
    } else if (option == "--repeat") {
        const auto number = number_of<std::uint64_t>(value);
        if (!number) return false;
        batch.repeat_every = *number;
    } else if (option == "--seconds") {
        const auto number = number_of<double>(value);
        if (!number || !(*number > 0)) return false;
        batch.seconds_max = *number;
    } else if (option == "--kept") {
        command.kept = value;
    } else {
        if (!is_fault(value)) return false;
        (option == "--only" ? batch.run.only : batch.run.without).emplace_back(value);
    }
    return true;
}

}  // namespace

std::string_view usage() {
    return "Usage: cmirror-sim [--seeds N] [--seed S] [--nodes K] [--minutes M] [--trace] ...\n"
           "\n"
           "Runs the daemon's actors on simulated nodes, in simulated time, over fakes of kernel, cluster and disks,\n"
           "and checks that no data is ever in danger. A seed decides everything.\n"
           "\n"
           "  --seeds N        how many runs (1); without --seed, of seeds that nobody has seen before\n"
           "  --seed S         the first seed\n"
           "  --nodes K        nodes of the cluster, 1 to 16 (3)\n"
           "  --minutes M      simulated minutes with load and faults (1)\n"
           "  --trace          tell the whole story\n"
           "  --calm           nothing goes wrong\n"
           "  --legacy         the field's daemon runs on some of the nodes (2 at least); they are updated at the end\n"
           "  --only FAULT     this kind of fault, in every run, and no others; may be repeated\n"
           "  --without FAULT  not this kind; may be repeated\n"
           "  --repeat N       run every Nth seed twice: both must end alike\n"
           "  --counters       fail if a fault or a rare path never happened\n"
           "  --kept FILE      run the command lines of the file, each twice; both must end alike\n"
           "  --keep-going     one line for each seed that fails, and go on\n"
           "  --seconds T      stop after T seconds of real time\n"
           "  --help           print this\n"
           "\n"
           "Ends with 0 if all runs were well, 1 if one was not, 2 for a wrong command line.\n";
}

Result<CommandLine, std::string> parse_command_line(std::span<const char* const> arguments) {
    CommandLine command;
    bool seeded = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        constexpr std::array<std::string_view, 9> with_value{"--kept",   "--seed", "--seeds",   "--nodes",  "--minutes",
                                                             "--repeat", "--only", "--without", "--seconds"};
        if (argument == "--help" || argument == "-h") {
            command.help = true;
        } else if (argument == "--trace") {
            command.trace = true;
        } else if (argument == "--calm") {
            command.batch.run.calm = true;
        } else if (argument == "--legacy") {
            command.batch.run.legacy = true;
        } else if (argument == "--keep-going") {
            command.batch.keep_going = true;
        } else if (argument == "--counters") {
            command.batch.require_counters = true;
        } else if (std::find(with_value.begin(), with_value.end(), argument) == with_value.end()) {
            return Failure<std::string>("unknown option \"" + std::string(argument) + "\"");
        } else if (i + 1 == arguments.size()) {
            return Failure<std::string>(std::string(argument) + " needs a value");
        } else if (!take(command, argument, arguments[++i])) {
            return Failure<std::string>("\"" + std::string(arguments[i]) + "\" does not suit " + std::string(argument));
        } else {
            seeded = seeded || argument == "--seed";
        }
    }
    if (command.batch.run.legacy && command.batch.run.nodes < 2)
        return Failure<std::string>("--legacy needs two nodes");
    if (!seeded) {
        std::random_device source;
        command.batch.first_seed = (std::uint64_t{source()} << 16U) ^ source();
    }
    return command;
}

namespace {

/// The runs of a file of command lines; `#` starts a comment.
Result<std::vector<Options>, std::string> read_kept(const std::string& path) {
    std::ifstream file(path);
    if (!file) return Failure<std::string>("cannot read " + path);
    std::vector<Options> kept;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        const std::vector<std::string> list{std::istream_iterator<std::string>(words), {}};
        if (list.empty()) continue;
        std::vector<const char*> arguments;
        arguments.reserve(list.size());
        for (const std::string& word : list)
            arguments.push_back(word.c_str());
        const auto command = parse_command_line(arguments);
        if (!command) {
            std::string text = path;
            text.append(": \"").append(line).append("\": ").append(command.error());
            return Failure<std::string>(text);
        }
        kept.push_back(command->batch.run);
        kept.back().seed = command->batch.first_seed;
    }
    return kept;
}

}  // namespace

int run_command(const CommandLine& command) {
    if (command.help) {
        std::fputs(usage().data(), stdout);
        return 0;
    }
    if (!command.kept.empty()) {
        const auto kept = read_kept(command.kept);
        if (!kept) std::fprintf(stderr, "cmirror-sim: %s\n", kept.error().c_str());
        return !kept ? 2 : run_kept(*kept) ? 0 : 1;
    }
    const BatchOptions& batch = command.batch;
    std::printf("first seed %llu, %u nodes\n", static_cast<unsigned long long>(batch.first_seed), batch.run.nodes);
    if (!command.trace) return run_batch(batch) ? 0 : 1;
    Options run = batch.run;
    run.seed = batch.first_seed;
    std::printf("drawn: %s\n", draw_profile(run).describe().c_str());
    const RunResult result = run_once(run, [](Instant at, NodeId node, const std::string& text) {
        std::printf("%12.6f  node %-2u %s\n", std::chrono::duration<double>(at).count(), node, text.c_str());
    });
    if (!result.violation) return 0;
    const Violation& v = *result.violation;
    std::printf("%12.6f  node %-2u VIOLATED: %s: %s\n", std::chrono::duration<double>(v.at).count(), v.node,
                v.checker.c_str(), v.text.c_str());
    return 1;
}

}  // namespace cmirror::sim
