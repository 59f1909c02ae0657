// The simulated world: time, nodes, the cluster between them, mirrors, and who watches over it.
#pragma once

#include <caf/actor_system.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/block_device/fake_block_device.hpp"
#include "adapters/cluster/fake_cluster.hpp"
#include "adapters/event_loop/fake_descriptors.hpp"
#include "tests/sim/checker.hpp"
#include "tests/sim/checkers/beside_legacy.hpp"
#include "tests/sim/counters.hpp"
#include "tests/sim/daemon.hpp"
#include "tests/sim/event_queue.hpp"
#include "tests/sim/mirror_data.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/profile.hpp"
#include "tests/sim/random.hpp"

namespace caf::scheduler {
class test_coordinator;
}

namespace cmirror::sim {

class FaultEngine;

/// A mirror of the whole cluster.
struct Mirror {
    MirrorProfile profile;
    LogTable table;
    std::unique_ptr<MirrorData> data;
    /// The log device's name.
    std::string device;
    /// Null for a core log.
    std::shared_ptr<FakeDisk> disk;
    /// When a member last started the log anew, without a word of those whose daemons were away.
    std::optional<Instant> started_anew = std::nullopt;
};

struct Violation {
    std::string checker;
    NodeId node = 0;
    std::string text;
    Instant at{};
};

class World {
  public:
    World(caf::actor_system& system, const Options& options);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// The whole run. True if nothing was violated.
    bool run();

    // -- time
    Instant now() const;
    void after(Instant time, EventQueue::Action action) { queue_.add(now() + time, std::move(action)); }
    /// Since the start of the run.
    Instant elapsed() const { return now() - start_; }
    std::uint64_t new_number() { return ++numbers_; }

    // -- nodes
    std::vector<std::unique_ptr<Node>>& nodes() { return nodes_; }
    Node& node(NodeId id) { return *nodes_[id - 1]; }
    void power_on(Node& node);
    void power_cut(const std::vector<NodeId>& nodes);
    void start_daemon(Node& node);
    void kill_daemon(Node& node);
    void stop_corosync(Node& node);
    void start_corosync(Node& node);
    void pause(Node& node, Instant time);
    /// The field's daemon gets its kernel's request, at once but behind what its kernel does now.
    void hand_to_legacy(Node& node, const KernelRequest& request, unsigned copies);
    bool has_daemon(const Node& node) const { return node.daemon || node.legacy_daemon; }
    /// The lowest member of the mirror's group is a legacy one: it answers requests and writes the log device.
    bool legacy_serves(const Mirror& mirror);
    bool is_paused(const Node& node) const { return node.paused_until > now(); }
    /// The device that the mirror has on the node, if its kernel runs.
    MappedDevice* device(Node& node, std::size_t mirror);

    // -- mirrors
    std::vector<Mirror>& mirrors() { return mirrors_; }
    BesideLegacy& beside_legacy() { return beside_legacy_; }
    Mirror& mirror_of(const Uuid& uuid);
    /// Applications work.
    bool loaded() const { return loaded_; }
    /// What a cluster's resource manager sees to: it starts nothing that a node out of sight may still use, unfenced,
    /// nor a mirror with a core log while those that use it are all without their daemons.
    bool may_activate(const Node& node, std::size_t mirror);
    /// Nor does it suspend the only one that knows what a node out of sight has written.
    bool may_suspend(const Node& node, std::size_t mirror);
    Instant device_latency();
    /// The log devices are a hundred times as slow for so long.
    void slow_device(Instant time) { slow_until_ = now() + time; }
    void before_device_call(Node& node);

    // -- faults
    /// True once for each time that the fault was armed on the node.
    bool strikes(Fault fault, Node& node);
    bool is_garbage(std::uint32_t seq) const { return seq >= garbage_seq; }
    static constexpr std::uint32_t garbage_seq = 0x80000000U;

    // -- what happens, told to checkers, counters and the story
    void asked(Node& node, const KernelRequest& request, unsigned copies, std::size_t room);
    void replied(Node& node, const UnpackedKernelReply& reply);
    void answered(Node& node, const KernelRequest& request, const Answer& answer);
    void write_dispatched(Node& node, MappedDevice& device, MirrorTarget& target, const Bio& bio, bool all_legs);
    void leg_written(Node& node, MappedDevice& device, Slot slot, Leg leg, Version version);
    void copy_started(Node& node, MappedDevice& device, MirrorTarget& target, RegionNumber region);
    void was_read(Node& node, MappedDevice& device, Slot slot, Version floor, Version version);
    void line(Node& node, LogLevel level, std::string_view text);
    void count(std::string_view name) { counters.add(name); }
    void violation(std::string_view checker, NodeId node, const std::string& text);
    const std::optional<Violation>& violated() const { return violation_; }
    bool tracing() const { return static_cast<bool>(story); }
    void tell(const Node& node, const std::string& text);
    std::string describe(const KernelRequest& request) const;
    void mix_digest(std::uint64_t a, std::uint64_t b) { digest_ = mix(digest_ ^ mix(a) ^ mix(b + 1)); }
    std::uint64_t digest() const { return digest_; }
    std::uint64_t events() const { return events_; }

    void run_actors();
    /// What logs and kernels know, for the story.
    void tell_logs();

    const Options options;
    const Profile profile;
    Counters counters;
    /// Streams of random numbers: the load, the network, faults, and names that are new.
    Random load, network, chaos, fresh;
    FakeDescriptors descriptors;
    FakeCluster cluster;
    FakeBlockDeviceProvider disks;
    /// Gets the story, if anyone wants it: time, node, text.
    std::function<void(Instant, NodeId, const std::string&)> story;

  private:
    bool step(Instant end);
    void run_jobs();
    void plan_cluster();
    void collect_replies();
    void check();
    void count_cluster();
    void finish();
    void tend();
    void tick();
    void fence();
    void fence_out_of_sight(const Node& node, std::size_t mirror);
    bool uses(Node& node, std::size_t mirror);
    bool another_has_state(const Node& node, std::size_t mirror);
    void cut_for_a_while(const std::vector<NodeId>& nodes);
    void started_or_joined(Node& node, std::size_t mirror, std::string_view line);
    void update_legacy_nodes();
    bool cluster_at_rest();

    caf::actor_system& system_;
    caf::scheduler::test_coordinator& scheduler_;
    Instant start_;
    EventQueue queue_;
    std::uint64_t numbers_ = 0, events_ = 0, events_at_once_ = 0, digest_ = 0;
    std::vector<Mirror> mirrors_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<std::unique_ptr<Checker>> checkers_;
    std::unique_ptr<FaultEngine> faults_;
    BesideLegacy beside_legacy_{*this};
    std::optional<Violation> violation_;
    std::map<NodeId, std::deque<caf::resumable*>> held_jobs_;
    std::map<NodeId, Instant> outside_since_;
    /// Nodes whose log of a mirror was created again, or is resumed, by their kernel and has not joined yet.
    std::set<std::pair<NodeId, std::size_t>> activating_;
    Instant slow_until_{};
    bool loaded_ = true, ending_ = false;
    unsigned tended_ = 0;
    /// Seconds since the last fault.
    unsigned seconds_ended_ = 0;
    /// Former legacy nodes that have booted with our daemon once.
    std::set<NodeId> rebooted_;
};

}  // namespace cmirror::sim
