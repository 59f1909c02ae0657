// What an actor that owns a descriptor needs from whatever drives it: readiness as a message.
#pragma once

#include <caf/actor.hpp>
#include <caf/atom.hpp>

namespace cmirror {

/// The message (descriptor_ready_atom, int descriptor) that an armed descriptor's owner gets once.
using descriptor_ready_atom = caf::atom_constant<caf::atom("fd_ready")>;

/// All three calls are for actors that the watcher itself runs.
class FdWatcher {
  public:
    FdWatcher() = default;
    FdWatcher(const FdWatcher&) = delete;
    FdWatcher& operator=(const FdWatcher&) = delete;
    virtual ~FdWatcher() = default;

    /// Arms `descriptor`: once it is readable (or has failed) `owner` gets one message, then it is disarmed.
    /// Keeps `owner` alive until unwatch(). A descriptor is watched at most once.
    virtual void watch(int descriptor, caf::actor owner) = 0;
    /// Arms a watched descriptor again; call it after receiving until nothing is left.
    virtual void rearm(int descriptor) = 0;
    virtual void unwatch(int descriptor) = 0;
};

}  // namespace cmirror
