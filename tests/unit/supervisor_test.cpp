#include <gtest/gtest.h>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cerrno>
#include <csignal>
#include <deque>

#include "actors/supervisor/supervisor_actor.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror {
namespace {

using test::uuid;
using Core = SupervisorCore;

KernelRequest request(RequestType type, Luid luid, std::string_view name = "log") {
    return {.seq = 7, .type = type, .version = 2, .luid = luid, .uuid = uuid(name), .payload = {}};
}

KernelRequest ctr(Luid luid, std::string_view name = "log", std::string text = "100 clustered-core 8",
                  bool reconnect = false) {
    auto made = request(RequestType::ctr, luid, name);
    made.payload = ConstructorText{std::move(text), reconnect};
    return made;
}

template <class Kind>
std::vector<Kind> all(const Core::Effects& effects) {
    std::vector<Kind> found;
    for (const auto& effect : effects)
        if (const auto* kind = std::get_if<Kind>(&effect)) found.push_back(*kind);
    return found;
}

class SupervisorCoreTest : public testing::Test {
  protected:
    Core::Effects ask(KernelRequest made) {
        Core::Effects effects;
        core.on_request(std::move(made), TimePoint{}, effects);
        return effects;
    }
    /// The error of the only reply, or 1 if the request was not answered by the supervisor.
    int answer_to(KernelRequest made) {
        const auto replies = all<Core::Reply>(ask(std::move(made)));
        return replies.size() == 1 ? replies[0].reply.error : 1;
    }
    Core::Effects ended(InstanceId instance, bool destroyed) {
        Core::Effects effects;
        core.on_ended(instance, destroyed, effects);
        return effects;
    }
    Core::Effects down(InstanceId instance) {
        Core::Effects effects;
        core.on_down(instance, "reason", effects);
        return effects;
    }
    Core::Effects signal(int number) {
        Core::Effects effects;
        core.on_signal(number, effects);
        return effects;
    }
    InstanceId create(Luid luid, std::string_view name = "log") {
        return all<Core::Spawn>(ask(ctr(luid, name))).at(0).instance;
    }

    Core core{SupervisorLimits{.logs_max = 3, .destroyed_max = 2}};
};

TEST_F(SupervisorCoreTest, ctr_of_unknown_luid_spawns_a_log_before_it_forwards) {
    const auto effects = ask(ctr(1));
    ASSERT_EQ(effects.size(), 2U);
    EXPECT_EQ(std::get<Core::Spawn>(effects[0]).luid, 1U);
    EXPECT_EQ(std::get<Core::Forward>(effects[1]).request.type, RequestType::ctr);
}

TEST_F(SupervisorCoreTest, same_ctr_again_is_forwarded_to_the_same_log) {
    const auto instance = create(1);
    const auto effects = ask(ctr(1, "log", "100 clustered-core 8", true));
    ASSERT_EQ(effects.size(), 1U);
    EXPECT_EQ(std::get<Core::Forward>(effects[0]).instance, instance);
}

TEST_F(SupervisorCoreTest, ctr_with_other_arguments_replaces_the_log) {
    const auto old = create(1);
    const auto effects = ask(ctr(1, "log", "200 clustered-core 8"));
    ASSERT_EQ(all<Core::AbandonLog>(effects).size(), 1U);
    EXPECT_EQ(all<Core::AbandonLog>(effects)[0].instance, old);
    EXPECT_EQ(all<Core::RemoveRoute>(effects).size(), 1U);
    EXPECT_NE(all<Core::Spawn>(effects).at(0).instance, old);
}

TEST_F(SupervisorCoreTest, ctr_with_another_uuid_replaces_the_log) {
    create(1);
    EXPECT_EQ(all<Core::AbandonLog>(ask(ctr(1, "other"))).size(), 1U);
}

TEST_F(SupervisorCoreTest, end_of_a_replaced_log_leaves_the_new_route_alone) {
    const auto old = create(1);
    ask(ctr(1, "other"));
    EXPECT_TRUE(all<Core::RemoveRoute>(ended(old, false)).empty());
    EXPECT_TRUE(all<Core::RemoveRoute>(down(old)).empty());
    EXPECT_EQ(all<Core::Forward>(ask(request(RequestType::in_sync, 1, "other"))).size(), 1U);
}

TEST_F(SupervisorCoreTest, answers_for_unknown_logs) {
    const std::map<RequestType, int> expected{
        {RequestType::dtr, 0},
        {RequestType::presuspend, 0},
        {RequestType::postsuspend, 0},
        // Its failure would fail the request that waits behind it in the kernel.
        {RequestType::resume, 0},
        {RequestType::get_region_size, -ESRCH},
        {RequestType::is_clean, -ESRCH},
        {RequestType::in_sync, -ESRCH},
        {RequestType::flush, -ESRCH},
        {RequestType::mark_region, -ESRCH},
        {RequestType::clear_region, -ESRCH},
        {RequestType::get_resync_work, -ESRCH},
        {RequestType::set_region_sync, -ESRCH},
        {RequestType::get_sync_count, -ESRCH},
        {RequestType::status_info, -ESRCH},
        {RequestType::status_table, -ESRCH},
        {RequestType::is_remote_recovering, -ESRCH},
    };
    for (const auto& [type, error] : expected)
        EXPECT_EQ(answer_to(request(type, 9)), error) << name_of(type);
}

TEST_F(SupervisorCoreTest, answers_for_destroyed_logs) {
    ended(create(1), true);
    EXPECT_EQ(answer_to(request(RequestType::flush, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::clear_region, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::dtr, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::postsuspend, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::mark_region, 1)), -EINVAL);
    EXPECT_EQ(answer_to(request(RequestType::resume, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::flush, 1, "other")), -ESRCH);
}

TEST_F(SupervisorCoreTest, late_flush_with_regions_promises_nothing) {
    ended(create(1), true);
    auto flush = request(RequestType::flush, 1);
    RegionList regions;
    regions.push_back(3);
    flush.payload = regions;
    EXPECT_EQ(answer_to(flush), -EINVAL);
}

TEST_F(SupervisorCoreTest, log_that_ended_without_dtr_is_unknown) {
    ended(create(1), false);
    EXPECT_EQ(answer_to(request(RequestType::flush, 1)), -ESRCH);
}

TEST_F(SupervisorCoreTest, ctr_forgets_that_the_luid_was_destroyed) {
    ended(create(1), true);
    const auto again = create(1);
    down(again);
    EXPECT_EQ(answer_to(request(RequestType::flush, 1)), -ESRCH);
}

TEST_F(SupervisorCoreTest, only_the_newest_destroyed_luids_are_remembered) {
    for (Luid luid = 1; luid <= 3; ++luid) {
        const auto instance = create(luid);
        ended(instance, true);
        down(instance);
    }
    EXPECT_EQ(answer_to(request(RequestType::clear_region, 1)), -ESRCH);
    EXPECT_EQ(answer_to(request(RequestType::clear_region, 2)), 0);
    EXPECT_EQ(answer_to(request(RequestType::clear_region, 3)), 0);
}

TEST_F(SupervisorCoreTest, log_that_dies_is_an_error_and_loses_its_route) {
    const auto effects = down(create(1));
    EXPECT_EQ(all<LogLine>(effects).at(0).level, LogLevel::error);
    EXPECT_EQ(all<Core::RemoveRoute>(effects).size(), 1U);
    EXPECT_EQ(all<Core::Forget>(effects).size(), 1U);
    EXPECT_EQ(answer_to(request(RequestType::in_sync, 1)), -ESRCH);
}

TEST_F(SupervisorCoreTest, log_that_ended_goes_silently) {
    const auto instance = create(1);
    ended(instance, true);
    const auto effects = down(instance);
    ASSERT_EQ(effects.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<Core::Forget>(effects[0]));
}

TEST_F(SupervisorCoreTest, more_logs_than_allowed_are_refused) {
    create(1);
    create(2);
    create(3);
    const auto effects = ask(ctr(4));
    EXPECT_EQ(all<Core::Reply>(effects).at(0).reply.error, -ENOMEM);
    EXPECT_EQ(all<LogLine>(effects).at(0).level, LogLevel::error);
    EXPECT_TRUE(all<Core::Spawn>(effects).empty());
}

TEST_F(SupervisorCoreTest, stop_signals_stop_only_without_logs) {
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP})
        EXPECT_EQ(all<Core::Stop>(signal(number)).size(), 1U);
    const auto instance = create(1);
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) {
        const auto effects = signal(number);
        EXPECT_TRUE(all<Core::Stop>(effects).empty());
        EXPECT_EQ(all<LogLine>(effects).at(0).level, LogLevel::error);
        EXPECT_NE(all<LogLine>(effects).at(0).text.find("1 log is active: log (luid 0x1)"), std::string::npos);
    }
    ended(instance, true);
    EXPECT_EQ(all<Core::Stop>(signal(SIGINT)).size(), 1U);
}

TEST_F(SupervisorCoreTest, usr1_reports) {
    create(1);
    const auto reports = all<Core::Report>(signal(SIGUSR1));
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_EQ(reports[0].own.fields.at(0), (std::pair<std::string, std::string>("logs", "1")));
}

// -- the shell ---------------------------------------------------------------------------------------

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
