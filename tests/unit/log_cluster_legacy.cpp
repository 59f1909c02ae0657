// Members of the cluster of cores that speak the field's protocol alone.
#include <algorithm>

#include "messages/wire_cluster.hpp"
#include "tests/unit/log_cluster.hpp"

namespace cmirror::mirror_log {

void LogCluster::hand_to_legacy(Node& node, const Node::Event& event) {
    if (const auto* membership = std::get_if<Membership>(&event)) {
        node.legacy->membership(*membership);
    } else {
        const auto& [sender, message] = std::get<1>(event);
        node.legacy->delivered(sender, pack_cluster_message(message, *Uuid::from_text("LVM-test")));
    }
    collect_legacy(node.id);
}

test::LegacyMember& LogCluster::join_legacy(NodeId id, std::uint64_t region_count) {
    auto node = std::make_unique<Node>();
    node->id = id;
    node->process = next_process_++;
    node->legacy = std::make_unique<test::LegacyMember>(*Uuid::from_text("LVM-test"), id, region_count);
    node->joined = true;
    nodes_[id] = std::move(node);
    if (std::find(ring.begin(), ring.end(), id) == ring.end()) {
        ring.push_back(id);
        ++next_ring_;
    }
    tell_quorum();
    change({}, {{nodes_[id]->member(), ChangeReason::join}});
    return *nodes_[id]->legacy;
}

void LogCluster::leave_legacy(NodeId id) {
    Node& node = *nodes_.at(id);
    node.legacy->request(RequestType::postsuspend);
    collect_legacy(id);
    settle();
    node.joined = false;
    node.inbox.clear();
    change({{node.member(), ChangeReason::leave}}, {});
    node.legacy.reset();
    settle();
}

void LogCluster::collect_legacy(NodeId id) {
    Node& node = *nodes_.at(id);
    for (const auto& frame : node.legacy->take_sent()) {
        if (drop_next[id] > 0) {
            --drop_next[id];
            continue;
        }
        multicast(node, *unpack_cluster_message(frame, *Uuid::from_text("LVM-test")));
    }
}

}  // namespace cmirror::mirror_log
