// The fake cluster's ends: what a process on one of its nodes holds.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "adapters/cluster/fake_cluster.hpp"

namespace cmirror {

class FakeGroupConnection final : public GroupConnection {
  public:
    FakeGroupConnection(FakeCluster& cluster, MemberId self);
    ~FakeGroupConnection() override;

    int descriptor() const override { return descriptor_; }
    ClusterCall join(const Uuid& group) override;
    ClusterCall leave() override;
    ClusterCall multicast(std::span<const std::byte> frame) override;
    ClusterCall dispatch(GroupEvents& events, std::size_t events_max, bool& more) override;

  private:
    friend class FakeCluster;

    struct Message {
        MemberId sender;
        std::shared_ptr<const std::vector<std::byte>> bytes;
    };
    using Event = std::variant<Message, Membership>;

    void push(Event event);
    void lose();
    bool hears(const Uuid& group) const { return group_ == group && !deaf_; }

    FakeCluster& cluster_;
    MemberId self_;
    int descriptor_;
    bool lost_ = false;
    /// The group that was joined.
    std::optional<Uuid> group_;
    /// leave() was called.
    bool left_ = false;
    /// Our own leave was delivered: nothing comes any more.
    bool deaf_ = false;
    std::deque<Event> events_;
};

class FakeQuorumConnection final : public QuorumConnection {
  public:
    FakeQuorumConnection(FakeCluster& cluster, NodeId node);
    ~FakeQuorumConnection() override;

    int descriptor() const override { return descriptor_; }
    std::vector<QuorumView> dispatch(ClusterCall& call) override;

  private:
    friend class FakeCluster;

    void push(QuorumView view);
    void lose();

    FakeCluster& cluster_;
    NodeId node_;
    int descriptor_;
    bool lost_ = false;
    std::vector<QuorumView> views_;
};

class FakeClusterProvider final : public ClusterProvider {
  public:
    FakeClusterProvider(FakeCluster& cluster, MemberId self) : cluster_(cluster), self_(self) {}

    Result<std::unique_ptr<GroupConnection>, std::string> open_group() override;
    Result<std::unique_ptr<QuorumConnection>, std::string> open_quorum() override;
    Result<NodeId, std::string> local_node() override;

  private:
    FakeCluster& cluster_;
    MemberId self_;
};

}  // namespace cmirror
