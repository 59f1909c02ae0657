// A cluster of any number of nodes in this process, with corosync's order and membership (CPG and quorum) and verbs
// that let things go wrong. Ordered containers only, no clock, no randomness: the same calls give the same run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/event_loop/fake_descriptors.hpp"
#include "messages/ports.hpp"

namespace cmirror {

class FakeGroupConnection;
class FakeQuorumConnection;

/// How a multicast travels: it waits at its sender until it is **ordered** in the sender's ring, and after that for
/// each node until it is **delivered** there, which puts it into the connections' queues and makes their descriptors
/// readable. Joins and leaves travel in the same way. By default both happen at once; with set_automatic(false) the
/// simulation chooses each step. Connections must not outlive the cluster.
class FakeCluster {
  public:
    /// `descriptors` must live longer.
    explicit FakeCluster(FakeDescriptors& descriptors) : descriptors_(descriptors) {}
    FakeCluster(const FakeCluster&) = delete;
    FakeCluster& operator=(const FakeCluster&) = delete;

    // -- nodes ----------------------------------------------------------------------------------
    /// A node whose corosync runs and that the others see.
    void add_node(NodeId node);
    /// What a process on `node` uses as its cluster.
    std::unique_ptr<ClusterProvider> provider(NodeId node, std::uint32_t process);

    // -- the order ------------------------------------------------------------------------------
    void set_automatic(bool automatic);
    /// Nodes with something that waits to be ordered, or to be delivered.
    std::vector<NodeId> nodes_to_order() const;
    std::vector<NodeId> nodes_to_deliver() const;
    /// The oldest item that waits at `node` gets its place in the order; false if there is none.
    bool order_next(NodeId node);
    /// `node` delivers the next item of the order; false if there is none.
    bool deliver_next(NodeId node);
    /// Orders and delivers all that waits.
    void run();

    // -- faults ---------------------------------------------------------------------------------
    /// The node crashes, or its corosync does: its connections are lost, what it had not ordered is gone, the others
    /// see its members leave for the reason node_down.
    void lose_node(NodeId node);
    /// Several at the same moment: the others see one change.
    void lose_nodes(const std::set<NodeId>& nodes);
    /// A process dies: its connections are lost, the others see its members leave for the reason process_down.
    void lose_process(MemberId process);
    /// corosync runs again on `node`; earlier connections stay lost.
    void return_node(NodeId node);
    /// Each set is a side of its own; nodes in none of them stay together on one more.
    void partition(const std::vector<std::set<NodeId>>& sides);
    /// All sides are one again.
    void merge();
    /// At the next change of rings, the last `count` ordered items that came from outside a part of a ring and that
    /// nobody in that part has delivered are lost to it.
    void next_change_loses(std::size_t count) { lost_at_change_ = count; }
    /// The next `count` joins, leaves and multicasts at `node` are to be tried again.
    void try_again_for(NodeId node, std::size_t count) { node_of(node).try_again = count; }
    /// The next `count` multicasts at `node` are accepted and then vanish.
    void lose_multicasts(NodeId node, std::size_t count) { node_of(node).vanishing = count; }
    /// Quorum regardless of the votes; nothing: a majority of all nodes that were ever added.
    void force_quorum(std::optional<bool> quorate);
    /// While held, `node`'s quorum service tells nothing; released, it tells the newest view.
    void hold_quorum(NodeId node, bool held);

    // -- what is ----------------------------------------------------------------------------------
    bool is_up(NodeId node) const { return nodes_.at(node).up; }
    /// The ring that `node` is in.
    QuorumView view_of(NodeId node) const;
    /// Members of `group` as `node` has delivered them, lowest first.
    std::vector<MemberId> members_at(NodeId node, const Uuid& group) const;
    /// Messages (not joins and leaves) that were ordered so far.
    std::uint64_t messages_ordered() const { return messages_ordered_; }
    /// How often what happened: so that a simulation knows what it has tried.
    struct Tally {
        /// Membership changes told, by the reason of each of their entries.
        std::map<ChangeReason, std::uint64_t> reasons;
        /// Changes told with more than one entry.
        std::uint64_t several_entries = 0;
        std::uint64_t try_again = 0;
        /// Accepted and never sent.
        std::uint64_t vanished = 0;
        /// Ordered, and lost to a part of the ring as it broke (next_change_loses()).
        std::uint64_t lost_at_change = 0;
        /// Not ordered yet as their sender's node was lost.
        std::uint64_t lost_with_sender = 0;
    };
    const Tally& tally() const { return tally_; }

  private:
    friend class FakeGroupConnection;
    friend class FakeQuorumConnection;
    friend class FakeClusterProvider;

    struct Item {
        enum class Kind : std::uint8_t { message, join, leave, process_down };
        Kind kind = Kind::message;
        MemberId member;
        Uuid group;
        std::shared_ptr<const std::vector<std::byte>> bytes;
    };
    using Views = std::map<Uuid, std::set<MemberId>>;
    struct Node {
        bool up = true;
        bool quorum_held = false;
        int side = 0;
        std::uint64_t ring = 0;
        /// Items of the ring's order that were delivered here, counted from the ring's beginning.
        std::uint64_t delivered = 0;
        std::deque<Item> unordered;
        Views views;
        std::size_t try_again = 0;
        std::size_t vanishing = 0;
        std::vector<FakeGroupConnection*> groups;
        std::vector<FakeQuorumConnection*> quorums;
    };
    struct Ring {
        std::set<NodeId> nodes;
        /// What not all nodes have delivered yet; the first one is item `trimmed` of the ring.
        std::deque<Item> order;
        std::uint64_t trimmed = 0;
    };

    Node& node_of(NodeId node);
    /// Takes an item of a connection on its way; or says why not.
    ClusterCall accept(Item item);
    void act() {
        if (automatic_) run();
    }
    void deliver(NodeId id, const Item& item);
    void tell_change(NodeId id, const Uuid& group, const std::vector<MemberChange>& left,
                     const std::vector<MemberChange>& joined);
    void trim(Ring& ring);
    /// Forms the rings that follow from sides and nodes; those that stay as they are go on.
    void form_rings();
    void finish_ring(const Ring& ring, const std::set<NodeId>& part);
    void start_ring(std::uint64_t id);
    void tell_quorum(NodeId node);
    bool is_quorate(const Ring& ring) const;

    FakeDescriptors& descriptors_;
    std::map<NodeId, Node> nodes_;
    std::map<std::uint64_t, Ring> rings_;
    std::uint64_t next_ring_ = 4;
    bool automatic_ = true;
    std::size_t lost_at_change_ = 0;
    std::optional<bool> forced_quorum_;
    std::uint64_t messages_ordered_ = 0;
    Tally tally_;
};

}  // namespace cmirror
