#include "adapters/cluster/fake_connections.hpp"

#include <algorithm>
#include <utility>

namespace cmirror {
namespace {

constexpr const char* not_running = "corosync is not running: start corosync.service (fake)";

}  // namespace

FakeGroupConnection::FakeGroupConnection(FakeCluster& cluster, MemberId self)
    : cluster_(cluster), self_(self), descriptor_(cluster.descriptors_.open()) {
    cluster_.node_of(self.node).groups.push_back(this);
}

FakeGroupConnection::~FakeGroupConnection() {
    std::erase(cluster_.node_of(self_.node).groups, this);
    cluster_.descriptors_.close(descriptor_);
    // After leave() that is on its way already.
    if (lost_ || !group_ || left_) return;
    cluster_.node_of(self_.node).unordered.push_back({FakeCluster::Item::Kind::process_down, self_, *group_, nullptr});
    cluster_.act();
}

void FakeGroupConnection::push(Event event) {
    events_.push_back(std::move(event));
    cluster_.descriptors_.set_readable(descriptor_, true);
}

void FakeGroupConnection::lose() {
    lost_ = true;
    events_.clear();
    cluster_.descriptors_.set_readable(descriptor_, true);
}

ClusterCall FakeGroupConnection::join(const Uuid& group) {
    if (lost_) return ClusterCall::lost;
    // As corosync has it: the name's NUL counts, and a process joins a group by one connection at a time.
    if (group_ || group.text().size() + 1 > Uuid::length_max) return ClusterCall::refused;
    const auto& node = cluster_.node_of(self_.node);
    for (const auto* other : node.groups)
        if (other->self_ == self_ && other->group_ == group) return ClusterCall::refused;
    const auto outcome = cluster_.accept({FakeCluster::Item::Kind::join, self_, group, nullptr});
    if (outcome != ClusterCall::done) return outcome;
    group_ = group;
    cluster_.act();
    return outcome;
}

ClusterCall FakeGroupConnection::leave() {
    if (lost_) return ClusterCall::lost;
    if (!group_ || left_) return ClusterCall::refused;
    const auto outcome = cluster_.accept({FakeCluster::Item::Kind::leave, self_, *group_, nullptr});
    if (outcome != ClusterCall::done) return outcome;
    left_ = true;
    cluster_.act();
    return outcome;
}

ClusterCall FakeGroupConnection::multicast(std::span<const std::byte> frame) {
    if (lost_) return ClusterCall::lost;
    if (!group_ || left_) return ClusterCall::refused;
    auto bytes = std::make_shared<const std::vector<std::byte>>(frame.begin(), frame.end());
    const auto outcome = cluster_.accept({FakeCluster::Item::Kind::message, self_, *group_, std::move(bytes)});
    cluster_.act();
    return outcome;
}

ClusterCall FakeGroupConnection::dispatch(GroupEvents& events, std::size_t events_max, bool& more) {
    more = false;
    if (lost_) return ClusterCall::lost;
    for (std::size_t i = 0; i < events_max && !events_.empty(); ++i) {
        auto event = std::move(events_.front());
        events_.pop_front();
        if (auto* membership = std::get_if<Membership>(&event))
            events.changed(std::move(*membership));
        else if (const auto* message = std::get_if<Message>(&event))
            events.delivered(message->sender, *message->bytes);
    }
    more = !events_.empty();
    cluster_.descriptors_.set_readable(descriptor_, more || lost_);
    return ClusterCall::done;
}

FakeQuorumConnection::FakeQuorumConnection(FakeCluster& cluster, NodeId node)
    : cluster_(cluster), node_(node), descriptor_(cluster.descriptors_.open()) {
    cluster_.node_of(node).quorums.push_back(this);
}

FakeQuorumConnection::~FakeQuorumConnection() {
    std::erase(cluster_.node_of(node_).quorums, this);
    cluster_.descriptors_.close(descriptor_);
}

void FakeQuorumConnection::push(QuorumView view) {
    views_.push_back(std::move(view));
    cluster_.descriptors_.set_readable(descriptor_, true);
}

void FakeQuorumConnection::lose() {
    lost_ = true;
    views_.clear();
    cluster_.descriptors_.set_readable(descriptor_, true);
}

std::vector<QuorumView> FakeQuorumConnection::dispatch(ClusterCall& call) {
    call = lost_ ? ClusterCall::lost : ClusterCall::done;
    if (!lost_) cluster_.descriptors_.set_readable(descriptor_, false);
    return std::exchange(views_, {});
}

Result<std::unique_ptr<GroupConnection>, std::string> FakeClusterProvider::open_group() {
    if (!cluster_.is_up(self_.node)) return Failure<std::string>{not_running};
    return std::make_unique<FakeGroupConnection>(cluster_, self_);
}

Result<std::unique_ptr<QuorumConnection>, std::string> FakeClusterProvider::open_quorum() {
    if (!cluster_.is_up(self_.node)) return Failure<std::string>{not_running};
    auto connection = std::make_unique<FakeQuorumConnection>(cluster_, self_.node);
    cluster_.tell_quorum(self_.node);
    return connection;
}

Result<NodeId, std::string> FakeClusterProvider::local_node() {
    if (!cluster_.is_up(self_.node)) return Failure<std::string>{not_running};
    return self_.node;
}

}  // namespace cmirror
