// Broken invariants end the process with a message; they never throw.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace cmirror {

/// Aborts with the violated condition and its place. Called by the macros below only.
[[noreturn]] inline void invariant_broken(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "cmirrord: invariant broken at %s:%d: %s\n", file, line, condition);
    std::abort();
}

}  // namespace cmirror

/// Stays on in production: a log that cannot trust its own state must not answer a kernel.
#define CMIRROR_INVARIANT(condition) \
    ((condition) ? static_cast<void>(0) : ::cmirror::invariant_broken(#condition, __FILE__, __LINE__))

/// Where nothing ever comes, for the reason given.
#define CMIRROR_NEVER(reason) ::cmirror::invariant_broken(reason, __FILE__, __LINE__)
