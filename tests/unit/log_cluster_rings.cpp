// Members, rings and what becomes of them: deaths, partitions, restarts.
#include <algorithm>

#include "messages/wire_state_file.hpp"
#include "tests/unit/log_cluster.hpp"

namespace cmirror::mirror_log {

std::vector<MemberId> LogCluster::members(int side) const {
    std::vector<MemberId> all;
    for (const auto& [id, node] : nodes_)
        if (node->joined && node->side == side) all.push_back(node->member());
    return all;
}

void LogCluster::change(const std::vector<MemberChange>& left, const std::vector<MemberChange>& joined) {
    for (auto& [id, node] : nodes_) {
        if (!node->joined || node->silent) continue;
        const int side = node->side;
        Membership told{node->member(), members(side), left, joined};
        const auto out_of_sight = [&](const MemberChange& change) {
            return nodes_.at(change.member.node)->side != side;
        };
        std::erase_if(told.left, out_of_sight);
        std::erase_if(told.joined, out_of_sight);
        if (!told.left.empty() || !told.joined.empty()) node->inbox.emplace_back(std::move(told));
    }
}

void LogCluster::tell_quorum() {
    if (std::any_of(nodes_.begin(), nodes_.end(), [](const auto& entry) { return entry.second->side != 0; }))
        return tell_views();
    for (auto& [id, node] : nodes_) {
        if (!node->core) continue;
        Effects effects;
        node->core->quorum(QuorumView{true, next_ring_, ring}, now, effects);
        carry_out(*node, effects);
    }
}

void LogCluster::set_quorum(NodeId id, bool quorate) {
    Effects effects;
    nodes_.at(id)->core->quorum(QuorumView{quorate, next_ring_, ring}, now, effects);
    carry_out(*nodes_.at(id), effects);
}

void LogCluster::supersede(NodeId id) {
    Effects effects;
    nodes_.at(id)->core->superseded(now, effects);
    carry_out(*nodes_.at(id), effects);
}

void LogCluster::lose(const std::vector<NodeId>& ids, ChangeReason reason) {
    std::vector<MemberChange> left;
    for (const NodeId id : ids) {
        Node& node = *nodes_.at(id);
        if (node.joined) left.push_back({node.member(), reason});
        node.joined = false;
        node.core.reset();
        node.legacy.reset();
        node.inbox.clear();
        node.wake.reset();
        if (reason == ChangeReason::node_down) std::erase(ring, id);
    }
    change(left, {});
    if (reason != ChangeReason::node_down) return;
    ++next_ring_;
    tell_quorum();
}

std::vector<MemberChange> LogCluster::others(int side, ChangeReason reason) const {
    std::vector<MemberChange> changes;
    for (const auto& [id, node] : nodes_)
        if (node->joined && node->side != side) changes.push_back({node->member(), reason});
    return changes;
}

void LogCluster::tell_views() {
    ++next_ring_;
    for (auto& [id, node] : nodes_) {
        if (!node->core) continue;
        std::vector<NodeId> seen;
        for (const NodeId other : ring)
            if (nodes_.at(other)->side == node->side) seen.push_back(other);
        Effects effects;
        node->core->quorum(QuorumView{seen.size() * 2 > ring.size(), next_ring_, seen}, now, effects);
        carry_out(*node, effects);
    }
}

void LogCluster::partition(const std::vector<NodeId>& minority) {
    settle();
    for (const NodeId id : minority)
        nodes_.at(id)->side = 1;
    for (auto& [id, node] : nodes_)
        node->inbox.emplace_back(
            Membership{node->member(), members(node->side), others(node->side, ChangeReason::node_down), {}});
    tell_views();
    settle();
}

void LogCluster::heal() {
    settle();
    for (auto& [id, node] : nodes_) {
        if (!node->joined) continue;
        std::vector<MemberId> all = members(0);
        for (const MemberId member : members(1))
            all.push_back(member);
        node->inbox.emplace_back(Membership{node->member(), all, {}, others(node->side, ChangeReason::node_up)});
    }
    for (auto& [id, node] : nodes_)
        node->side = 0;
    tell_views();
    settle();
}

void LogCluster::kill(NodeId id) {
    lose({id}, ChangeReason::process_down);
}
void LogCluster::crash(NodeId id) {
    lose({id}, ChangeReason::node_down);
}

LogCluster::Node& LogCluster::revive(NodeId id, bool new_boot, std::optional<Luid> luid) {
    const Luid usual = nodes_.at(id)->luid + (new_boot ? 0x100 : 0);
    const BootId boot = nodes_.at(id)->boot;
    const std::vector<std::byte> state_file = nodes_.at(id)->state_file;
    Node& node = add(id);
    node.luid = luid.value_or(usual);
    if (!new_boot) node.boot = boot;
    LogConfig config{
        *Uuid::from_text("LVM-test"), node.luid, node.boot, id * 7919U + node.process, {}, settings_, version_of(id)};
    if (!new_boot && !lose_state_files) {
        if (auto kept = unpack_state_file(state_file)) config.kept = std::move(*kept);
    }
    node.core = std::make_unique<MirrorLogCore>(config);
    if (!views_come_late) tell_quorum();
    return node;
}

LogCluster::Node& LogCluster::restart(NodeId id, bool new_boot) {
    Node& node = revive(id, new_boot);
    call(id, RequestType::ctr, ConstructorText{arguments_, !new_boot});
    call(id, RequestType::resume);
    return node;
}

LogCluster::Node& LogCluster::reload(NodeId id, const std::string& arguments) {
    Node& node = *nodes_.at(id);
    call(id, RequestType::presuspend);
    call(id, RequestType::postsuspend);
    node.old_core = std::move(node.core);
    node.old_luid = node.luid;
    node.luid += 0x100;
    node.wake.reset();
    LogConfig config{
        *Uuid::from_text("LVM-test"), node.luid, node.boot, id * 7919U + next_process_, {}, settings_, version_of(id)};
    node.core = std::make_unique<MirrorLogCore>(config);
    tell_quorum();
    call(id, RequestType::ctr, ConstructorText{arguments.empty() ? arguments_ : arguments, false});
    call(id, RequestType::resume);
    return node;
}

std::optional<KernelReply> LogCluster::call_old(NodeId id, RequestType type, RequestPayload payload) {
    Node& node = *nodes_.at(id);
    KernelRequest request{next_seq_++, type, 2, node.old_luid, *Uuid::from_text("LVM-test"), std::move(payload)};
    Effects effects;
    node.old_core->request(request, now, effects);
    carry_out(node, effects);
    settle();
    return reply_to(id, request.seq);
}

void LogCluster::prove_gone(NodeId teller, NodeId gone) {
    Effects effects;
    nodes_.at(teller)->core->node_gone(gone, now, effects);
    carry_out(*nodes_.at(teller), effects);
    settle();
}

void LogCluster::lose_cluster(NodeId id) {
    Node& node = *nodes_.at(id);
    const MemberId gone = node.member();
    node.joined = false;
    node.inbox.clear();
    node.process = next_process_++;
    change({{gone, ChangeReason::process_down}}, {});
    Effects effects;
    node.core->cluster_lost(now, effects);
    carry_out(node, effects);
}

void LogCluster::regain_cluster(NodeId id) {
    Node& node = *nodes_.at(id);
    // Who was leaving has nothing to rejoin.
    node.joined = node.core->life() == LifeState::joining;
    if (node.joined) {
        change({}, {{node.member(), ChangeReason::join}});
        step(id);
    }
    tell_quorum();
    settle();
}

}  // namespace cmirror::mirror_log
