// What every actor shell shares: its handlers for what its interface does not name, and writing a core's lines.
#pragma once

#include <caf/fwd.hpp>
#include <string_view>

#include "actors/common/log_line.hpp"

namespace cmirror {

/// Sets the default, down, error, exit and exception handlers of `self`: a message nobody expects is logged and
/// dropped, an exception is logged and ends the actor, an exit message ends it silently, a down message of an actor
/// that nobody asked about is ignored. `sink` must outlive the actor system.
void set_common_handlers(caf::scheduled_actor* self, LogSink& sink);

/// Hands `lines` to `sink` and empties them.
void write_lines(LogSink& sink, LogLines& lines);

}  // namespace cmirror
