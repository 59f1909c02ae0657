// Joins the actors to the adapters and runs them.
#pragma once

#include <functional>

#include "main/start.hpp"

namespace cmirror {

/// Runs the daemon's actors over `resources` until a signal ends them; `ready` is called once they all exist.
void run_rooms(Resources& resources, const std::function<void()>& ready);

}  // namespace cmirror
