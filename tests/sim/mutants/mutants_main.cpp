// cmirror-sim-mutants: the simulation over daemons in which one rule is broken.
//
//   cmirror-sim-mutants --list             the mutants
//   cmirror-sim-mutants NAME [SEEDS]       ends with 0 if a checker catches the mutant within so many seeds
//   cmirror-sim-mutants --trace NAME SEED  the story of one run
//   cmirror-sim-mutants --batch NAME       runs seeds, and prints what cmirror-sim prints
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/command_line.hpp"
#include "tests/sim/mutants/mutant_switch.hpp"

namespace {

using namespace cmirror::sim;

constexpr std::uint64_t seeds_default = 400;
constexpr unsigned seconds_max = 400;

/// How a mutant's runs are made, and the first seed.
struct Runs {
    Options options;
    std::uint64_t first_seed = 1;
};

Runs runs_of(const Mutant& mutant) {
    std::istringstream words(mutant.options);
    std::vector<std::string> list;
    for (std::string word; words >> word;)
        list.push_back(word);
    std::vector<const char*> arguments;
    for (const std::string& word : list)
        arguments.push_back(word.c_str());
    const auto command = parse_command_line(arguments);
    if (!command) {
        std::fprintf(stderr, "mutant %s: %s\n", mutant.name.c_str(), command.error().c_str());
        std::exit(2);
    }
    const bool seeded = std::find(list.begin(), list.end(), "--seed") != list.end();
    return {command->batch.run, seeded ? command->batch.first_seed : 1};
}

/// Runs seeds until one is violated; the exit code of a process of its own, for a mutant may abort.
int hunt(const Mutant& mutant, std::uint64_t seeds) {
    auto [run, first_seed] = runs_of(mutant);
    for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
        run.seed = seed;
        const RunResult result = run_once(run);
        if (!result.violation) continue;
        if (!mutant.checker.empty() && result.violation->checker != mutant.checker) continue;
        // It counts only if the rule makes the difference.
        const std::string name = std::exchange(living_mutant, {});
        const bool well_without = !run_once(run).violation;
        living_mutant = name;
        if (!well_without) continue;
        std::printf("%s: caught with seed %llu by \"%s\": %s\n", mutant.name.c_str(),
                    static_cast<unsigned long long>(seed), result.violation->checker.c_str(),
                    result.violation->text.c_str());
        return 0;
    }
    std::printf("%s: SURVIVED %llu seeds (%s)\n", mutant.name.c_str(), static_cast<unsigned long long>(seeds),
                mutant.rule.c_str());
    return 1;
}

int hunt_apart(const Mutant& mutant, std::uint64_t seeds) {
    if (!mutant.applies) {
        std::printf("%s: its text is not in the sources any more: mend tests/sim/mutants/mutants.txt\n",
                    mutant.name.c_str());
        return 1;
    }
    living_mutant = mutant.name;
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
        // A mutant may run for ever: nor does it outlive this.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::alarm(seconds_max);
        const int code = hunt(mutant, seeds);
        std::fflush(stdout);
        std::_Exit(code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
    // Where one checker has to prove itself, an abort proves nothing; nor does time that was not enough.
    const bool out_of_time = WTERMSIG(status) == SIGALRM;
    std::printf("%s: %s\n", mutant.name.c_str(), out_of_time ? "out of time" : "caught by a broken invariant");
    return mutant.checker.empty() && !out_of_time ? 0 : 1;
}

int trace(const Mutant& mutant, std::uint64_t seed) {
    living_mutant = mutant.name;
    CommandLine command;
    command.batch.run = runs_of(mutant).options;
    command.batch.first_seed = seed;
    command.trace = true;
    return run_command(command);
}

int batch(const Mutant& mutant) {
    living_mutant = mutant.name;
    BatchOptions options;
    options.run = runs_of(mutant).options;
    options.seeds = seeds_default;
    return run_batch(options) ? 0 : 1;
}

const Mutant* find(const std::string& name) {
    for (const Mutant& mutant : all_mutants())
        if (mutant.name == name) return &mutant;
    std::fprintf(stderr, "no mutant \"%s\"\n", name.c_str());
    return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.empty() || arguments[0] == "--list") {
        for (const Mutant& mutant : all_mutants())
            std::printf("%-45s %s\n", mutant.name.c_str(), mutant.rule.c_str());
        return arguments.empty() ? 2 : 0;
    }
    const bool traced = arguments[0] == "--trace";
    const bool batched = arguments[0] == "--batch";
    const Mutant* mutant = find(arguments[(traced || batched) && arguments.size() > 1 ? 1 : 0]);
    if (mutant == nullptr) return 2;
    if (batched) return batch(*mutant);
    const std::size_t number_at = traced ? 2 : 1;
    const std::uint64_t number =
        arguments.size() > number_at ? std::strtoull(arguments[number_at].c_str(), nullptr, 10) : seeds_default;
    return traced ? trace(*mutant, number) : hunt_apart(*mutant, number);
}
