// One simulated node: a kernel while it has power, a daemon while one runs.
#pragma once

#include <array>
#include <memory>

#include "adapters/state_store/fake_state_store.hpp"
#include "messages/identity.hpp"
#include "tests/sim/profile.hpp"

namespace cmirror::sim {

class Daemon;
class Kernel;
class LegacyDaemon;
class World;

struct Node {
    Node(World& in, NodeId called);

    World& world;
    NodeId id = 0;
    BootId boot{};
    /// What is under /run: gone when the power is.
    FakeStateStore states;
    std::unique_ptr<Kernel> kernel;
    std::unique_ptr<Daemon> daemon;
    /// In its place: the field's.
    std::unique_ptr<LegacyDaemon> legacy_daemon;
    /// Which of them is installed.
    bool legacy = false;
    /// corosync runs.
    bool in_ring = false;
    /// The daemon does not run until then.
    Instant paused_until{};
    /// corosync delivers nothing until then.
    Instant stalled_until{};
    /// Faults that strike at the next opportunity.
    std::array<unsigned, fault_count> armed{};
    std::uint32_t next_process = 100;
    /// Counts boots: what was planned for an earlier one is forgotten.
    unsigned boots = 0;
    bool to_order_planned = false;
    bool to_deliver_planned = false;
};

}  // namespace cmirror::sim
