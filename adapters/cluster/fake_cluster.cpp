#include "adapters/cluster/fake_cluster.hpp"

#include <utility>

#include "adapters/cluster/fake_connections.hpp"
#include "messages/invariant.hpp"

namespace cmirror {

FakeCluster::Node& FakeCluster::node_of(NodeId node) {
    const auto found = nodes_.find(node);
    CMIRROR_INVARIANT(found != nodes_.end());
    return found->second;
}

void FakeCluster::add_node(NodeId node) {
    const bool is_new = nodes_.emplace(node, Node{}).second;
    CMIRROR_INVARIANT(is_new);
    form_rings();
}

std::unique_ptr<ClusterProvider> FakeCluster::provider(NodeId node, std::uint32_t process) {
    CMIRROR_INVARIANT(nodes_.contains(node));
    return std::make_unique<FakeClusterProvider>(*this, MemberId{node, process});
}

void FakeCluster::set_automatic(bool automatic) {
    automatic_ = automatic;
    act();
}

std::vector<NodeId> FakeCluster::nodes_to_order() const {
    std::vector<NodeId> result;
    for (const auto& [id, node] : nodes_)
        if (!node.unordered.empty()) result.push_back(id);
    return result;
}

std::vector<NodeId> FakeCluster::nodes_to_deliver() const {
    std::vector<NodeId> result;
    for (const auto& [id, node] : nodes_) {
        if (!node.up) continue;
        const auto& ring = rings_.at(node.ring);
        if (node.delivered < ring.trimmed + ring.order.size()) result.push_back(id);
    }
    return result;
}

bool FakeCluster::order_next(NodeId id) {
    auto& node = node_of(id);
    if (!node.up || node.unordered.empty()) return false;
    auto item = std::move(node.unordered.front());
    node.unordered.pop_front();
    if (item.kind == Item::Kind::message) ++messages_ordered_;
    rings_.at(node.ring).order.push_back(std::move(item));
    return true;
}

bool FakeCluster::deliver_next(NodeId id) {
    auto& node = node_of(id);
    if (!node.up) return false;
    auto& ring = rings_.at(node.ring);
    CMIRROR_INVARIANT(node.delivered >= ring.trimmed);
    const auto index = static_cast<std::size_t>(node.delivered - ring.trimmed);
    if (index >= ring.order.size()) return false;
    const Item item = ring.order[index];
    ++node.delivered;
    deliver(id, item);
    trim(ring);
    return true;
}

void FakeCluster::run() {
    for (auto& [id, node] : nodes_)
        while (order_next(id)) {
        }
    for (auto& [id, node] : nodes_)
        while (deliver_next(id)) {
        }
}

void FakeCluster::trim(Ring& ring) {
    while (!ring.order.empty()) {
        for (const auto id : ring.nodes)
            if (nodes_.at(id).delivered == ring.trimmed) return;
        ring.order.pop_front();
        ++ring.trimmed;
    }
}

ClusterCall FakeCluster::accept(Item item) {
    auto& node = node_of(item.member.node);
    CMIRROR_INVARIANT(node.up);
    if (node.try_again > 0) {
        --node.try_again;
        ++tally_.try_again;
        return ClusterCall::try_again;
    }
    if (item.kind == Item::Kind::message && node.vanishing > 0) {
        --node.vanishing;
        ++tally_.vanished;
        return ClusterCall::done;
    }
    node.unordered.push_back(std::move(item));
    return ClusterCall::done;
}

void FakeCluster::deliver(NodeId id, const Item& item) {
    auto& node = node_of(id);
    auto& members = node.views[item.group];
    const auto reason = [&] {
        return item.kind == Item::Kind::leave ? ChangeReason::leave : ChangeReason::process_down;
    };
    switch (item.kind) {
        case Item::Kind::message:
            // Its sender may have left, or its node may be new in the ring: then it is no member's message.
            if (!members.contains(item.member)) break;
            for (auto* connection : node.groups)
                if (connection->hears(item.group) && members.contains(connection->self_))
                    connection->push(FakeGroupConnection::Message{item.member, item.bytes});
            break;
        case Item::Kind::join:
            if (members.insert(item.member).second)
                tell_change(id, item.group, {}, {{item.member, ChangeReason::join}});
            break;
        case Item::Kind::leave:
        case Item::Kind::process_down:
            if (members.erase(item.member) == 0) break;
            tell_change(id, item.group, {{item.member, reason()}}, {});
            for (auto* connection : node.groups)
                if (connection->self_ == item.member && connection->hears(item.group) && connection->left_)
                    connection->deaf_ = true;
            break;
    }
}

void FakeCluster::tell_change(NodeId id, const Uuid& group, const std::vector<MemberChange>& left,
                              const std::vector<MemberChange>& joined) {
    auto& node = node_of(id);
    const auto& members = node.views[group];
    for (const auto* changes : {&left, &joined})
        for (const auto& change : *changes)
            ++tally_.reasons[change.reason];
    if (left.size() + joined.size() > 1) ++tally_.several_entries;
    const auto concerns = [&](MemberId self) {
        for (const auto& change : left)
            if (change.member == self) return true;
        return members.contains(self);
    };
    for (auto* connection : node.groups)
        if (connection->hears(group) && concerns(connection->self_))
            connection->push(Membership{connection->self_, {members.begin(), members.end()}, left, joined});
}

std::vector<MemberId> FakeCluster::members_at(NodeId node, const Uuid& group) const {
    const auto& views = nodes_.at(node).views;
    const auto found = views.find(group);
    if (found == views.end()) return {};
    return {found->second.begin(), found->second.end()};
}

}  // namespace cmirror
