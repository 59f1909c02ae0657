// The cluster gateway's shell over a cluster in memory.
#include <gtest/gtest.h>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <functional>

#include "actors/cluster_gateway/cluster_gateway_actor.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;
using test::uuid;

const MemberId self_id{1, 100};

/// One node's corosync: every connection is alone in its group.
struct Corosync {
    bool up = true;
    bool flow_control = false;
    int next_descriptor = 20;
    int quorum_descriptor = -1;
    std::vector<QuorumView> views;
    using Event = std::function<void(GroupEvents&)>;
    std::map<int, std::deque<Event>> events;
    int joins = 0;
    std::vector<std::string> left;
};

class Group final : public GroupConnection {
  public:
    explicit Group(Corosync& corosync) : corosync_(corosync), descriptor_(corosync.next_descriptor++) {
        corosync_.events[descriptor_];
    }
    ~Group() override { corosync_.events.erase(descriptor_); }
    int descriptor() const override { return descriptor_; }
    ClusterCall join(const Uuid& group) override {
        if (!corosync_.up) return ClusterCall::lost;
        group_ = group;
        ++corosync_.joins;
        return post([](GroupEvents& events) {
            events.changed({self_id, {self_id}, {}, {{self_id, ChangeReason::join}}});
        });
    }
    ClusterCall leave() override {
        if (!corosync_.up) return ClusterCall::lost;
        corosync_.left.emplace_back(group_.text());
        return post([](GroupEvents& events) { events.changed({self_id, {}, {{self_id, ChangeReason::leave}}, {}}); });
    }
    ClusterCall multicast(std::span<const std::byte> frame) override {
        if (!corosync_.up) return ClusterCall::lost;
        if (corosync_.flow_control) return ClusterCall::try_again;
        return post([bytes = std::vector<std::byte>(frame.begin(), frame.end())](GroupEvents& events) {
            events.delivered(self_id, bytes);
        });
    }
    ClusterCall dispatch(GroupEvents& events, std::size_t events_max, bool& more) override {
        if (!corosync_.up) return ClusterCall::lost;
        auto& waiting = corosync_.events.at(descriptor_);
        for (; events_max > 0 && !waiting.empty(); --events_max) {
            const auto event = std::move(waiting.front());
            waiting.pop_front();
            event(events);
        }
        more = !waiting.empty();
        return ClusterCall::done;
    }

  private:
    ClusterCall post(Corosync::Event event) {
        corosync_.events.at(descriptor_).push_back(std::move(event));
        return ClusterCall::done;
    }
    Corosync& corosync_;
    int descriptor_;
    Uuid group_;
};

class Quorum final : public QuorumConnection {
  public:
    explicit Quorum(Corosync& corosync) : corosync_(corosync), descriptor_(corosync.next_descriptor++) {
        corosync_.quorum_descriptor = descriptor_;
    }
    int descriptor() const override { return descriptor_; }
    std::vector<QuorumView> dispatch(ClusterCall& call) override {
        call = corosync_.up ? ClusterCall::done : ClusterCall::lost;
        return std::exchange(corosync_.views, {});
    }

  private:
    Corosync& corosync_;
    int descriptor_;
};

class Provider final : public ClusterProvider {
  public:
    explicit Provider(Corosync& corosync) : corosync_(corosync) {}
    Result<std::unique_ptr<GroupConnection>, std::string> open_group() override {
        if (!corosync_.up) return Failure<std::string>("corosync is not running");
        return std::make_unique<Group>(corosync_);
    }
    Result<std::unique_ptr<QuorumConnection>, std::string> open_quorum() override {
        if (!corosync_.up) return Failure<std::string>("corosync is not running");
        return std::make_unique<Quorum>(corosync_);
    }
    Result<NodeId, std::string> local_node() override { return NodeId{1}; }

  private:
    Corosync& corosync_;
};

/// Joins at RESUME, multicasts at MARK_REGION, leaves at POSTSUSPEND; writes down what it is told.
MirrorLogActor::behavior_type log_probe(MirrorLogActor::pointer self, ClusterGatewayActor gateway,
                                        std::vector<std::string>* told) {
    return {[=](const KernelRequest& asked) {
                if (asked.type == RequestType::resume) self->send(gateway, JoinGroup{asked.uuid, self});
                if (asked.type == RequestType::mark_region)
                    self->send(gateway, Multicast{asked.uuid, Valid{asked.seq}});
                if (asked.type == RequestType::postsuspend) self->send(gateway, LeaveGroup{asked.uuid, asked.luid, {}});
            },
            [told](const Delivered& delivered) {
                told->push_back("message " + std::to_string(std::get<Valid>(*delivered.message).token));
            },
            [told](const Membership& membership) { told->push_back(membership.members.empty() ? "out" : "member"); },
            [told](const QuorumChanged& quorum) { told->push_back(quorum.quorate ? "quorum" : "no quorum"); },
            [told](const ClusterLost&) { told->push_back("lost"); },
            [told](const LeftBehind& left) { told->push_back("left behind " + std::to_string(left.state.size())); },
            [told](const Superseded&) { told->push_back("superseded"); },
            [](const DeviceOpened&) {},
            [](const DeviceRead&) {},
            [](const DeviceWritten&) {},
            [](const Abandon&) {},
            [](const NodeGone&) {},
            [](const TimerDue&) {},
            [](const StatusQuery&) { return LogStatus{}; }};
}

using Words = std::vector<std::string>;

class ClusterGatewayShellTest : public testing::Test {
  protected:
    ClusterGatewayShellTest() {
        gateway = world.system->spawn(
            cluster_gateway,
            ClusterGatewayConfig{.provider = &provider, .watcher = &world.watcher, .sink = &world.sink, .limits = {}});
        log = world.system->spawn(log_probe, gateway, &told);
        world.run();
        corosync.views = {{true, 1, {1}}};
        settle();
    }
    ~ClusterGatewayShellTest() override {
        caf::anon_send(gateway, Shutdown{});
        world.run();
        EXPECT_TRUE(world.watcher.owners.empty());
        gateway = nullptr;
        world.end(log);
        world.pass(10s);
    }
    /// Tells the gateway what is readable until nothing is.
    void settle() {
        for (bool active = true; active;) {
            active = false;
            world.run();
            std::vector<int> readable;
            for (const auto& [descriptor, events] : corosync.events)
                if (!events.empty() || !corosync.up) readable.push_back(descriptor);
            if (!corosync.views.empty() || !corosync.up) readable.push_back(corosync.quorum_descriptor);
            for (const int descriptor : readable)
                active = world.watcher.make_readable(descriptor) || active;
        }
    }
    void ask(RequestType type, std::uint32_t seq = 0) {
        caf::anon_send(log, KernelRequest{.seq = seq, .type = type, .luid = 1, .uuid = uuid("log"), .payload = {}});
        settle();
    }
    Words take() { return std::exchange(told, {}); }

    Corosync corosync;
    Provider provider{corosync};
    Words told;
    test::ActorWorld world;
    ClusterGatewayActor gateway;
    MirrorLogActor log;
};

TEST_F(ClusterGatewayShellTest, a_log_joins_sends_and_leaves) {
    ask(RequestType::resume);
    EXPECT_EQ(take(), (Words{"member", "quorum"}));
    ask(RequestType::mark_region, 5);
    ask(RequestType::mark_region, 6);
    EXPECT_EQ(take(), (Words{"message 5", "message 6"}));
    ask(RequestType::postsuspend);
    EXPECT_EQ(take(), (Words{"out"}));
    EXPECT_TRUE(corosync.events.empty());
}

TEST_F(ClusterGatewayShellTest, messages_wait_for_flow_control_in_order) {
    ask(RequestType::resume);
    take();
    corosync.flow_control = true;
    for (std::uint32_t seq = 1; seq <= 3; ++seq)
        ask(RequestType::mark_region, seq);
    world.pass(50ms);
    EXPECT_EQ(take(), Words{});
    corosync.flow_control = false;
    world.pass(100ms);
    settle();
    EXPECT_EQ(take(), (Words{"message 1", "message 2", "message 3"}));
}

TEST_F(ClusterGatewayShellTest, a_cluster_that_comes_back_is_joined_again) {
    ask(RequestType::resume);
    take();
    corosync.up = false;
    settle();
    EXPECT_EQ(take(), (Words{"lost", "no quorum"}));
    EXPECT_TRUE(world.watcher.owners.empty());
    world.pass(5s);
    corosync.up = true;
    corosync.views = {{true, 2, {1}}};
    world.pass(2s);
    settle();
    EXPECT_EQ(take(), (Words{"member", "quorum"}));
    EXPECT_EQ(corosync.joins, 2);
    ask(RequestType::mark_region, 9);
    EXPECT_EQ(take(), (Words{"message 9"}));
}

// A daemon that was stopped reads all of them at once.
TEST_F(ClusterGatewayShellTest, quorum_that_was_lost_and_found_is_told_in_that_order) {
    ask(RequestType::resume);
    take();
    corosync.views = {{false, 2, {1}}, {true, 3, {1, 2}}};
    settle();
    EXPECT_EQ(take(), (Words{"no quorum", "quorum"}));
}

TEST_F(ClusterGatewayShellTest, a_log_that_dies_ends_its_connection) {
    ask(RequestType::resume);
    world.end(log);
    settle();
    EXPECT_TRUE(corosync.left.empty());
    EXPECT_TRUE(corosync.events.empty());
}

TEST_F(ClusterGatewayShellTest, a_burst_of_messages_is_handled_in_turns) {
    ask(RequestType::resume);
    take();
    for (std::uint32_t seq = 0; seq < 200; ++seq)
        caf::anon_send(
            log,
            KernelRequest{.seq = seq, .type = RequestType::mark_region, .luid = 1, .uuid = uuid("log"), .payload = {}});
    settle();
    const auto seen = take();
    ASSERT_EQ(seen.size(), 200U);
    EXPECT_EQ(seen.front(), "message 0");
    EXPECT_EQ(seen.back(), "message 199");
}

}  // namespace
}  // namespace cmirror
