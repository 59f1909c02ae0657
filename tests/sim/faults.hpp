// What goes wrong, and when: drawn from the seed.
#pragma once

#include "tests/sim/profile.hpp"

namespace cmirror::sim {

class World;
struct Node;

class FaultEngine {
  public:
    explicit FaultEngine(World& world) : world_(world) {}

    void start();
    /// No more faults; what was broken is mended.
    void end();

  private:
    void plan(Fault fault);
    void happen(Fault fault);
    bool cluster_fault(Fault fault);
    bool node_fault(Fault fault);
    bool power_fault(Fault fault);
    Node* any_node(bool with_daemon);
    void arm(Fault fault, unsigned times);
    void administrator(Fault fault);
    bool someone_has_quorum() const;
    void merge_later(Instant time);
    void device_comes_back();
    bool kill_daemon(Fault fault);

    World& world_;
    bool ended_ = false;
    bool partitioned_ = false;
};

}  // namespace cmirror::sim
