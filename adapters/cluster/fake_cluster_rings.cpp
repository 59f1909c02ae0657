// How the fake cluster's rings change: nodes lost and back, partitions, merges, quorum.
#include <algorithm>
#include <utility>

#include "adapters/cluster/fake_cluster.hpp"
#include "adapters/cluster/fake_connections.hpp"
#include "messages/invariant.hpp"

namespace cmirror {

void FakeCluster::lose_node(NodeId id) {
    lose_nodes({id});
}

void FakeCluster::lose_nodes(const std::set<NodeId>& ids) {
    for (const NodeId id : ids) {
        auto& node = node_of(id);
        CMIRROR_INVARIANT(node.up);
        node.up = false;
    }
    form_rings();
    for (const NodeId id : ids) {
        auto& node = node_of(id);
        node.ring = 0;
        node.delivered = 0;
        tally_.lost_with_sender += node.unordered.size();
        node.unordered.clear();
        node.views.clear();
        for (auto* connection : node.groups)
            connection->lose();
        for (auto* connection : node.quorums)
            connection->lose();
    }
    act();
}

void FakeCluster::lose_process(MemberId process) {
    auto& node = node_of(process.node);
    for (auto* connection : node.groups) {
        if (connection->self_ != process || connection->lost_) continue;
        if (connection->group_ && !connection->left_)
            node.unordered.push_back({Item::Kind::process_down, process, *connection->group_, nullptr});
        connection->lose();
    }
    act();
}

void FakeCluster::return_node(NodeId id) {
    auto& node = node_of(id);
    CMIRROR_INVARIANT(!node.up);
    // Connections of corosync's earlier life are dead and hear nothing any more.
    node.groups.clear();
    node.quorums.clear();
    node.up = true;
    form_rings();
    act();
}

void FakeCluster::partition(const std::vector<std::set<NodeId>>& sides) {
    for (auto& [id, node] : nodes_) {
        node.side = 0;
        for (std::size_t i = 0; i < sides.size(); ++i)
            if (sides[i].contains(id)) node.side = static_cast<int>(i) + 1;
    }
    form_rings();
    act();
}

void FakeCluster::merge() {
    partition({});
}

void FakeCluster::force_quorum(std::optional<bool> quorate) {
    forced_quorum_ = quorate;
    for (const auto& [id, node] : nodes_)
        tell_quorum(id);
}

void FakeCluster::hold_quorum(NodeId id, bool held) {
    node_of(id).quorum_held = held;
    tell_quorum(id);
}

bool FakeCluster::is_quorate(const Ring& ring) const {
    return forced_quorum_.value_or(2 * ring.nodes.size() > nodes_.size());
}

QuorumView FakeCluster::view_of(NodeId id) const {
    const auto& node = nodes_.at(id);
    CMIRROR_INVARIANT(node.up);
    const auto& ring = rings_.at(node.ring);
    return {is_quorate(ring), node.ring, {ring.nodes.begin(), ring.nodes.end()}};
}

void FakeCluster::tell_quorum(NodeId id) {
    auto& node = node_of(id);
    if (!node.up || node.quorum_held) return;
    for (auto* connection : node.quorums)
        connection->push(view_of(id));
}

void FakeCluster::form_rings() {
    std::map<int, std::set<NodeId>> wanted;
    for (const auto& [id, node] : nodes_)
        if (node.up) wanted[node.side].insert(id);
    std::vector<std::set<NodeId>> to_form;
    for (const auto& side : wanted) {
        const auto same = [&](const auto& ring) { return ring.second.nodes == side.second; };
        if (std::none_of(rings_.begin(), rings_.end(), same)) to_form.push_back(side.second);
    }
    // Each part of an old ring first delivers what it has of that ring.
    for (auto ring = rings_.begin(); ring != rings_.end();) {
        const auto is_wanted = [&](const auto& side) { return side.second == ring->second.nodes; };
        if (std::any_of(wanted.begin(), wanted.end(), is_wanted)) {
            ++ring;
            continue;
        }
        for (const auto& members : to_form) {
            std::set<NodeId> part;
            std::set_intersection(ring->second.nodes.begin(), ring->second.nodes.end(), members.begin(), members.end(),
                                  std::inserter(part, part.end()));
            if (!part.empty()) finish_ring(ring->second, part);
        }
        ring = rings_.erase(ring);
    }
    lost_at_change_ = 0;
    for (const auto& members : to_form) {
        const auto id = std::exchange(next_ring_, next_ring_ + 4);
        rings_[id].nodes = members;
        start_ring(id);
    }
}

void FakeCluster::finish_ring(const Ring& ring, const std::set<NodeId>& part) {
    std::uint64_t seen = 0;
    for (const auto id : part)
        seen = std::max(seen, nodes_.at(id).delivered);
    // What nobody here has delivered and only others had: the last `lost_at_change_` of it never arrived.
    const auto end = ring.trimmed + ring.order.size();
    std::set<std::uint64_t> lost;
    for (auto index = end; index > seen && lost.size() < lost_at_change_; --index)
        if (!part.contains(ring.order[index - 1 - ring.trimmed].member.node)) lost.insert(index - 1);
    for (const auto id : part) {
        auto& node = node_of(id);
        for (auto index = node.delivered; index < end; ++index)
            if (!lost.contains(index))
                deliver(id, ring.order[index - ring.trimmed]);
            else
                ++tally_.lost_at_change;
        node.delivered = end;
    }
}

void FakeCluster::start_ring(std::uint64_t id) {
    const auto& members = rings_.at(id).nodes;
    // The processes that each node itself has in each group: what corosync's nodes tell each other.
    std::map<Uuid, std::set<MemberId>> present;
    for (const auto node_id : members)
        for (const auto& [group, view] : node_of(node_id).views)
            for (const auto& member : view)
                if (member.node == node_id) present[group].insert(member);
    for (const auto node_id : members) {
        auto& node = node_of(node_id);
        node.ring = id;
        node.delivered = 0;
        for (auto& [group, view] : node.views) {
            std::vector<MemberChange> left;
            for (const auto& member : view)
                if (!present[group].contains(member)) left.push_back({member, ChangeReason::node_down});
            for (const auto& change : left)
                view.erase(change.member);
            if (!left.empty()) tell_change(node_id, group, left, {});
        }
        for (const auto& [group, processes] : present)
            for (const auto& member : processes)
                if (node.views[group].insert(member).second)
                    tell_change(node_id, group, {}, {{member, ChangeReason::node_up}});
        tell_quorum(node_id);
    }
}

}  // namespace cmirror
