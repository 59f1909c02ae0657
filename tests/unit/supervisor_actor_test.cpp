// The shell of the supervisor: its actors, from the first CTR to the signal that ends them all.
#include <gtest/gtest.h>

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <csignal>
#include <deque>

#include "actors/supervisor/supervisor_actor.hpp"
#include "adapters/service_manager/fake_service_manager.hpp"
#include "tests/unit/supervisor_requests.hpp"

namespace cmirror {
namespace {

using test::ctr;
using test::request;
using test::uuid;

class QueuedSignals final : public SignalSource {
  public:
    int descriptor() const override { return 5; }
    std::optional<int> next() override {
        if (waiting.empty()) return std::nullopt;
        const int number = waiting.front();
        waiting.pop_front();
        return number;
    }
    std::deque<int> waiting;
};

struct Seen {
    std::vector<std::string> gateway;
    std::vector<std::string> cluster;
    std::vector<std::string> log;
    std::size_t reported_logs = 0;
    int reports = 0;
};

KernelGatewayActor::behavior_type gateway_probe(KernelGatewayActor::pointer self, Seen* seen) {
    return {[](descriptor_ready_atom, int) {},
            [seen](const KernelReply& reply) { seen->gateway.push_back("reply " + std::to_string(reply.error)); },
            [seen](const RouteAdded& route) { seen->gateway.push_back("add " + std::to_string(route.luid)); },
            [seen](const RouteRemoved& route) { seen->gateway.push_back("remove " + std::to_string(route.luid)); },
            [self](const Shutdown&) { self->quit(); },
            [](const StatusQuery&) { return ActorStatus{}; }};
}

ClusterGatewayActor::behavior_type cluster_probe(ClusterGatewayActor::pointer self, int) {
    return {[](descriptor_ready_atom, int) {},
            [](const JoinGroup&) {},
            [](const LeaveGroup&) {},
            [](const Multicast&) {},
            [](const TimerDue&) {},
            [self](const Shutdown&) { self->quit(); },
            [](const StatusQuery&) { return ActorStatus{}; }};
}

StatusActor::behavior_type status_probe(StatusActor::pointer self, Seen* seen) {
    return {[seen](const ReportStatus& report) {
                ++seen->reports;
                seen->reported_logs = report.order.logs.size();
            },
            [](const GatherStatus& request) {
                StatusSnapshot snapshot;
                snapshot.logs.resize(request.order.logs.size());
                return snapshot;
            },
            [](const TimerDue&) {}, [self](const Shutdown&) { self->quit(); }};
}

/// Ends at DTR as a log does; dies at STATUS_TABLE.
MirrorLogActor::behavior_type log_probe(MirrorLogActor::pointer self, Seen* seen, SupervisorActor supervisor, Uuid name,
                                        Luid luid) {
    return {[=](const KernelRequest& asked) {
                seen->log.emplace_back(name_of(asked.type));
                if (asked.type == RequestType::dtr) {
                    self->send(supervisor, LogEnded{name, luid, true});
                    self->quit();
                }
                if (asked.type == RequestType::status_table) self->quit(caf::exit_reason::unhandled_exception);
            },
            [](const Delivered&) {},
            [](const Membership&) {},
            [](const QuorumChanged&) {},
            [](const ClusterLost&) {},
            [](const LeftBehind&) {},
            [](const Superseded&) {},
            [](const DeviceOpened&) {},
            [](const DeviceRead&) {},
            [](const DeviceWritten&) {},
            [=](const Abandon&) {
                seen->log.emplace_back("abandon");
                self->send(supervisor, LogEnded{name, luid, false});
                self->quit();
            },
            [=](const NodeGone& gone) { seen->log.emplace_back("node " + std::to_string(gone.node) + " gone"); },
            [](const TimerDue&) {},
            [](const StatusQuery&) { return LogStatus{}; }};
}

class SupervisorShellTest : public testing::Test {
  protected:
    SupervisorShellTest() {
        SupervisorConfig config;
        config.signals = &signals;
        config.watcher = &world.watcher;
        config.sink = &world.sink;
        config.manager = &manager;
        config.open_rooms = [this](SupervisorActor self) {
            auto& system = *world.system;
            return Rooms{.kernel_gateway = system.spawn(gateway_probe, &seen),
                         .cluster_gateway = system.spawn(cluster_probe, 0),
                         .control_gateway = {},
                         .status = system.spawn(status_probe, &seen),
                         .make_log = [&system, self, this](const Uuid& name, Luid luid) {
                             return system.spawn(log_probe, &seen, self, name, luid);
                         }};
        };
        actor = world.system->spawn(supervisor, std::move(config));
        world.run();
    }
    void send(KernelRequest made) {
        caf::anon_send(actor, std::move(made));
        world.run();
    }
    void raise(int number) {
        signals.waiting.push_back(number);
        EXPECT_TRUE(world.watcher.make_readable(5));
        world.run();
    }

    QueuedSignals signals;
    FakeServiceManager manager;
    Seen seen;
    test::ActorWorld world;
    SupervisorActor actor;
};

using Texts = std::vector<std::string>;

TEST_F(SupervisorShellTest, proof_that_a_node_is_gone_reaches_every_log) {
    send(ctr(1));
    send(ctr(2, "other"));
    seen.log.clear();
    caf::anon_send(actor, NodeGone{3});
    world.run();
    EXPECT_EQ(seen.log, (std::vector<std::string>{"node 3 gone", "node 3 gone"}));
    send(request(RequestType::dtr, 1));
    send(request(RequestType::dtr, 2, "other"));
    raise(SIGINT);
}

TEST_F(SupervisorShellTest, who_asks_for_the_status_gets_it_of_every_log) {
    send(ctr(1));
    send(ctr(2, "other"));
    std::size_t logs = 0;
    auto asker = world.system->spawn([this, &logs](caf::event_based_actor* self) {
        self->request(actor, caf::infinite, StatusRequest{}).then([&logs](const StatusSnapshot& snapshot) {
            logs = snapshot.logs.size();
        });
    });
    world.run();
    EXPECT_EQ(logs, 2U);
    world.end(asker);
    send(request(RequestType::dtr, 1));
    send(request(RequestType::dtr, 2, "other"));
    raise(SIGINT);
}

TEST_F(SupervisorShellTest, a_log_lives_from_ctr_to_dtr_then_a_signal_ends_all) {
    send(ctr(1));
    raise(SIGINT);
    EXPECT_EQ(world.sink.count(LogLevel::error), 1U);
    send(request(RequestType::dtr, 1));
    EXPECT_EQ(seen.log, (Texts{"CTR", "DTR"}));
    EXPECT_EQ(seen.gateway, (Texts{"add 1", "remove 1"}));
    raise(SIGTERM);
    EXPECT_EQ(manager.told, (Texts{"serves no logs", "serves 1 log", "serves no logs", "stopping"}));
    EXPECT_TRUE(world.watcher.owners.empty());
    actor = nullptr;
    EXPECT_EQ(world.sink.count(LogLevel::error), 1U);
}

TEST_F(SupervisorShellTest, a_log_that_dies_is_created_again) {
    send(ctr(1));
    send(request(RequestType::status_table, 1));
    EXPECT_TRUE(world.sink.contains("died"));
    send(request(RequestType::in_sync, 1));
    EXPECT_EQ(seen.gateway.back(), "reply " + std::to_string(-ESRCH));
    send(ctr(1));
    EXPECT_EQ(seen.gateway.back(), "add 1");
    send(request(RequestType::dtr, 1));
    raise(SIGTERM);
}

TEST_F(SupervisorShellTest, a_replaced_log_is_abandoned_and_the_new_one_keeps_its_route) {
    send(ctr(1));
    send(ctr(1, "other"));
    EXPECT_EQ(seen.log, (Texts{"CTR", "abandon", "CTR"}));
    EXPECT_EQ(seen.gateway, (Texts{"add 1", "remove 1", "add 1"}));
    raise(SIGUSR1);
    EXPECT_EQ(seen.reports, 1);
    EXPECT_EQ(seen.reported_logs, 1U);
    send(request(RequestType::dtr, 1, "other"));
    raise(SIGTERM);
}

}  // namespace
}  // namespace cmirror
