// What must hold, one class an invariant. A checker sees what happens in the world and reports what must not.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages/kernel_request.hpp"
#include "messages/wire_kernel.hpp"
#include "tests/sim/kernel.hpp"
#include "tests/sim/mirror_target.hpp"

namespace cmirror::sim {

class World;

class Checker {
  public:
    explicit Checker(World& world) : world_(world) {}
    Checker(const Checker&) = delete;
    Checker& operator=(const Checker&) = delete;
    virtual ~Checker() = default;

    virtual std::string_view name() const = 0;
    /// The daemon got the request, `copies` times, and may answer as often. `room`: bytes that a payload may have.
    virtual void asked(Node&, const KernelRequest&, unsigned /*copies*/, std::size_t /*room*/) {}
    /// The daemon sent this to its kernel, whatever the kernel makes of it.
    virtual void replied(Node&, const UnpackedKernelReply&) {}
    /// The daemon answered; the kernel does not know it yet.
    virtual void answered(Node&, const KernelRequest&, const Answer&) {}
    /// A write is on its way to all legs, or to the primary leg alone.
    virtual void write_dispatched(Node&, MappedDevice&, MirrorTarget&, const Bio&, bool /*all_legs*/) {}
    virtual void copy_started(Node&, MappedDevice&, MirrorTarget&, RegionNumber) {}
    /// `floor`: a read that started when this one did must not give an older version.
    virtual void was_read(Node&, MappedDevice&, Slot, Version /*floor*/, Version) {}
    /// After everything that follows from one event.
    virtual void after_event() {}
    /// The cluster has nothing under way: every member has delivered the same.
    virtual void at_rest() {}
    /// A second has passed.
    virtual void every_second() {}
    /// After the last fault: why the run cannot end yet; empty if everything is well.
    virtual std::string unfinished() { return {}; }

  protected:
    void violated(NodeId node, const std::string& text);

    World& world_;
};

std::vector<std::unique_ptr<Checker>> all_checkers(World& world);

}  // namespace cmirror::sim
