#include "adapters/process/memory_lock.hpp"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cmirror {
namespace {

void limit_malloc() {
    // Every further arena would reserve 64 MiB of addresses and keep what it has freed.
    ::mallopt(M_ARENA_MAX, 1);
    ::mallopt(M_TRIM_THRESHOLD, -1);
}

void limit_stacks() {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, thread_stack_bytes);
    ::pthread_setattr_default_np(&attributes);
    ::pthread_attr_destroy(&attributes);
}

}  // namespace

void allow_descriptors() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, descriptors_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<void, std::string> lock_memory() {
    limit_malloc();
    limit_stacks();
#ifdef PR_SET_IO_FLUSHER
    // Needs CAP_SYS_RESOURCE; of use only under memory pressure.
    ::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
#endif
    // Two calls: what is mapped now becomes resident at once (code that is paged in later would wait for its device),
    // what is mapped later only as far as it is touched.
    if (::mlockall(MCL_CURRENT) != 0 || ::mlockall(MCL_FUTURE | MCL_ONFAULT) != 0)
        return Failure<std::string>{std::string{"cannot lock memory ("} + std::strerror(errno) +
                                    "): run with CAP_IPC_LOCK or a larger memlock limit"};
    return {};
}

}  // namespace cmirror
