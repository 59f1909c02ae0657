// Memory that never waits for a device.
#pragma once

#include <cstddef>
#include <string>

#include "messages/result.hpp"

namespace cmirror {

/// Stack of every thread started later, in bytes: handlers neither recurse nor keep large buffers on it.
inline constexpr std::size_t thread_stack_bytes = std::size_t{256} * 1024;

/// Descriptors that the daemon may have open: each log has a few.
inline constexpr std::size_t descriptors_max = 16384;

/// Raises the limit of open descriptors to descriptors_max, or as far as it may be raised.
void allow_descriptors();

/// Call it in the final process before any other thread exists. Locks what is mapped, program and libraries included,
/// and from then on each page when it is first touched; gives later threads a stack of thread_stack_bytes and malloc
/// one arena for all threads that never returns memory. Where the kernel has it and rights allow, marks the process as
/// one that block devices depend on (PR_SET_IO_FLUSHER), so that its allocations do not wait for them either.
/// An error is a line that says what to do; what could be done is done.
Result<void, std::string> lock_memory();

}  // namespace cmirror
