// cmirror-story-mutants: the unit tests of the log over cores in which one rule is broken. For rules whose breach takes
// a story that no seed tells within the time that a test has.
//
//   cmirror-story-mutants NAME  ends with 0 if the mutant's tests pass without it, and one of them fails with it
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/sim/mutants/mutant_switch.hpp"

namespace {

using namespace cmirror::sim;

constexpr int no_tests = 100;
constexpr unsigned seconds_max = 60;

/// The exit code of the tests in a process of their own, for a mutant may abort: 0 if all passed.
int run_tests(const std::string& living) {
    living_mutant = living;
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
        // A mutant may run for ever: nor does it outlive this.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::alarm(seconds_max);
        if (!living.empty()) {
            // Its failures are what is wanted: not worth a line.
            (void)!std::freopen("/dev/null", "w", stdout);
            (void)!std::freopen("/dev/null", "w", stderr);
        }
        const int code = RUN_ALL_TESTS();
        std::fflush(stdout);
        std::_Exit(testing::UnitTest::GetInstance()->test_to_run_count() == 0 ? no_tests : code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 1 : WEXITSTATUS(status);
}

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    const std::string name = argc > 1 ? argv[1] : "";
    const Mutant* mutant = nullptr;
    for (const Mutant& m : all_mutants())
        if (m.name == name) mutant = &m;
    if (mutant == nullptr || mutant->tests.empty()) {
        std::fprintf(stderr, "no mutant \"%s\" that unit tests hunt\n", name.c_str());
        return 2;
    }
    if (!mutant->applies) {
        std::printf("%s: its text is not in the sources any more: mend tests/sim/mutants/mutants.txt\n", name.c_str());
        return 1;
    }
    testing::GTEST_FLAG(filter) = mutant->tests;
    const int without = run_tests({});
    if (without != 0) {
        std::printf("%s: %s\n", name.c_str(),
                    without == no_tests ? "no test has that name" : "its tests fail without it");
        return 1;
    }
    const bool caught = run_tests(name) != 0;
    std::printf("%s: %s by %s (%s)\n", name.c_str(), caught ? "caught" : "SURVIVED", mutant->tests.c_str(),
                mutant->rule.c_str());
    return caught ? 0 : 1;
}
