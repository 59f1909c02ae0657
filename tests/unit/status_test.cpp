#include <gtest/gtest.h>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>

#include "actors/status/status_actor.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;
using test::uuid;

LogStatus example() {
    LogStatus log;
    log.uuid = uuid("LVM-example");
    log.luid = 0xff01;
    log.state = "active";
    log.log_type = "clustered-disk";
    log.region_size_sectors = 1024;
    log.region_count = 70;
    log.sync_count = 35;
    log.dirty_count = 2;
    log.in_sync_hint = 12;
    log.quorate = true;
    log.recovering = {{{1, 0xff01}, 12, 3}};
    log.marks = {{{1, 0xff01}, 2, {4, 9}, true, false}, {{2, 0xaa}, 0, {}, false, true}};
    log.members = {{{1, 100}, true, true, false}, {{2, 200}, false, false, true}};
    log.device = DeviceStatus{"7:0", false, "", 5, 20480};
    log.pending = {{17, "FLUSH", 3240}};
    log.requests = 100;
    log.bad_requests = 1;
    log.rounds = 8;
    log.marked_ahead = 16;
    log.recovered_here = 3;
    log.state_ordinal = 90;
    log.state_digest = 0xabc;
    return log;
}

std::vector<std::string> lines_of(LogStatus log) {
    StatusSnapshot snapshot;
    snapshot.logs.emplace_back(std::move(log));
    return format_status(snapshot);
}

bool has(const std::vector<std::string>& lines, std::string_view line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
}

TEST(StatusFormatTest, a_log_reads_as_it_is_documented) {
    const std::vector<std::string> expected{
        "LOG COMPONENT DEBUGGING::",
        "Official log list: 1",
        "LVM-example",
        "  luid              : 0xff01",
        "  state             : active",
        "  type              : clustered-disk",
        "  region_size       : 1024 sectors",
        "  region_count      : 70",
        "  sync_count        : 35/70 (50.0%)",
        "  dirty             : 2",
        "  in_sync_hint      : 12",
        "  quorum            : YES",
        "  recovering        : ",
        "    node 1 luid 0xff01: regions 12-14 (3)",
        "  marks             : ",
        "    node 1 luid 0xff01: 2 [4 9]",
        "    node 2 luid 0xaa: every region, its marks are not known, away: its kernel may still write",
        "  members           : ",
        "    node 1 process 100: valid, server",
        "    node 2 process 200: no state yet, legacy",
        "  device            : 7:0: working",
        "  device_writes     : 5 (20480 bytes)",
        "  pending           : ",
        "    FLUSH seq 17, for 3240 ms",
        "  requests          : 100, bad 1",
        "  rounds            : 8",
        "  marked_ahead      : 16",
        "  recovered_here    : 3",
        "  events            : 90, digest 0xabc",
    };
    EXPECT_EQ(lines_of(example()), expected);
}

TEST(StatusFormatTest, who_is_waited_for_is_named) {
    auto log = example();
    log.awaited = {{3, 4711}};
    const auto lines = lines_of(log);
    EXPECT_TRUE(has(lines, "  awaited           : "));
    EXPECT_TRUE(has(lines, "    node 3 process 4711"));
}

TEST(StatusFormatTest, a_failed_device_says_why) {
    auto log = example();
    log.device->failed = true;
    log.device->last_error = "Input/output error";
    EXPECT_TRUE(has(lines_of(log), "  device            : 7:0: FAILED: Input/output error"));
}

TEST(StatusFormatTest, almost_in_sync_is_not_100_percent) {
    auto log = example();
    log.region_count = 40'000'000;
    log.sync_count = 39'999'999;
    EXPECT_TRUE(has(lines_of(log), "  sync_count        : 39999999/40000000 (99.9%)"));
}

TEST(StatusFormatTest, long_lists_are_cut) {
    auto log = example();
    log.pending.assign(40, PendingRequest{1, "FLUSH", 0});
    EXPECT_TRUE(has(lines_of(log), "    ... 8 more"));
}

TEST(StatusFormatTest, a_missing_part_is_named) {
    StatusSnapshot snapshot;
    snapshot.logs.emplace_back(PartMissing{});
    EXPECT_TRUE(has(format_status(snapshot), "(a log is missing here: no answer)"));
}

TEST(StatusCoreTest, the_last_part_completes_the_snapshot) {
    StatusCore core;
    core.begin({}, 1, 2, TimePoint{});
    EXPECT_FALSE(core.on_log(1, 1, example()));
    EXPECT_FALSE(core.on_actor(1, 0, ActorStatus{}));
    EXPECT_FALSE(core.on_log(1, 1, example()));  // the same part again
    EXPECT_TRUE(core.on_log(1, 0, example()));
}

TEST(StatusCoreTest, parts_of_an_earlier_snapshot_are_ignored) {
    StatusCore core;
    core.begin({}, 0, 1, TimePoint{});
    core.finish();
    core.begin({}, 0, 1, TimePoint{});
    EXPECT_FALSE(core.on_log(1, 0, example()));
    EXPECT_TRUE(core.busy());
    EXPECT_TRUE(core.on_log(2, 0, example()));
}

TEST(StatusCoreTest, pending_requests_are_told_how_long_they_have_waited) {
    StatusCore core;
    core.begin({}, 1, 1, TimePoint{});
    auto log = example();
    log.luid = 7;
    log.pending = {{17, "FLUSH", 0}, {18, "FLUSH", 0}};
    core.on_log(1, 0, log);
    core.on_actor(1, 0, ActorStatus{.heading = "KERNEL", .waiting = {{8, 17, 1}, {7, 17, 1500}, {7, 1, 2}}});
    const auto snapshot = core.finish();
    const auto& pending = std::get<LogStatus>(snapshot.logs[0]).pending;
    EXPECT_EQ(pending[0].waited_ms, 1500U);
    EXPECT_EQ(pending[1].waited_ms, 0U);
    EXPECT_TRUE(std::get<ActorStatus>(snapshot.actors[0]).waiting.empty());
}

TEST(StatusCoreTest, is_overdue_at_its_deadline_only) {
    StatusCore core;
    EXPECT_FALSE(core.overdue(TimePoint{} + 1h));
    core.begin({}, 0, 1, TimePoint{});
    EXPECT_FALSE(core.overdue(TimePoint{} + StatusCore::patience - 1ns));
    EXPECT_TRUE(core.overdue(TimePoint{} + StatusCore::patience));
}

// -- the shell ---------------------------------------------------------------------------------------

KernelGatewayActor::behavior_type gateway_probe(KernelGatewayActor::pointer self, int) {
    return {[](descriptor_ready_atom, int) {},
            [](const KernelReply&) {},
            [](const RouteAdded&) {},
            [](const RouteRemoved&) {},
            [self](const Shutdown&) { self->quit(); },
            [](const StatusQuery&) {
                return ActorStatus{"KERNEL", {{"requests", "3"}}};
            }};
}

ClusterGatewayActor::behavior_type cluster_probe(ClusterGatewayActor::pointer self, int) {
    return {[](descriptor_ready_atom, int) {},
            [](const JoinGroup&) {},
            [](const LeaveGroup&) {},
            [](const Multicast&) {},
            [](const TimerDue&) {},
            [self](const Shutdown&) { self->quit(); },
            [](const StatusQuery&) {
                return ActorStatus{"CLUSTER", {}};
            }};
}

using Promise = caf::typed_response_promise<LogStatus>;

/// A silent one keeps what it is asked until it ends.
MirrorLogActor::behavior_type log_probe(MirrorLogActor::pointer self, bool silent) {
    auto kept = std::make_shared<std::vector<Promise>>();
    return {[](const KernelRequest&) {},
            [](const Delivered&) {},
            [](const Membership&) {},
            [](const QuorumChanged&) {},
            [](const ClusterLost&) {},
            [](const LeftBehind&) {},
            [](const Superseded&) {},
            [](const DeviceOpened&) {},
            [](const DeviceRead&) {},
            [](const DeviceWritten&) {},
            [](const Abandon&) {},
            [](const NodeGone&) {},
            [](const TimerDue&) {},
            [self, silent, kept](const StatusQuery&) {
                auto promise = self->make_response_promise<LogStatus>();
                if (silent)
                    kept->push_back(promise);
                else
                    promise.deliver(example());
                return promise;
            }};
}

class StatusShellTest : public testing::Test {
  protected:
    StatusShellTest() {
        kernel = world.system->spawn(gateway_probe, 0);
        cluster = world.system->spawn(cluster_probe, 0);
        actor = world.system->spawn(status, StatusConfig{&world.sink, kernel, cluster, {"1.2.3", 7}});
        log = world.system->spawn(log_probe, false);
        silent = world.system->spawn(log_probe, true);
        world.run();
    }
    ~StatusShellTest() override {
        world.end(asker);
        caf::anon_send(actor, Shutdown{});
        world.run();
        actor = nullptr;
        world.end(log);
        world.end(silent);
        world.end(kernel);
        world.end(cluster);
        world.pass(10s);
    }
    void report(std::vector<MirrorLogActor> logs) {
        caf::anon_send(actor, ReportStatus{{std::move(logs), ActorStatus{"SUPERVISOR", {}}}});
        world.run();
    }
    /// Asks for a snapshot; it is in `answers` when it came.
    void gather(std::vector<MirrorLogActor> logs) {
        asker = world.system->spawn([this, logs = std::move(logs)](caf::event_based_actor* self) {
            self->request(actor, caf::infinite, GatherStatus{{logs, ActorStatus{"SUPERVISOR", {}}}})
                .then([this](const StatusSnapshot& snapshot) { answers.push_back(snapshot); });
        });
        world.run();
    }
    std::size_t snapshots() const {
        std::size_t found = 0;
        for (const auto& [level, line] : world.sink.lines)
            found += line == "SUPERVISOR";
        return found;
    }

    test::ActorWorld world;
    KernelGatewayActor kernel;
    ClusterGatewayActor cluster;
    StatusActor actor;
    MirrorLogActor log;
    MirrorLogActor silent;
    caf::actor asker;
    std::vector<StatusSnapshot> answers;
};

TEST_F(StatusShellTest, every_actor_contributes) {
    report({log, log});
    EXPECT_EQ(snapshots(), 1U);
    for (const auto* part : {"KERNEL", "CLUSTER", "Official log list: 2", "LVM-example"})
        EXPECT_TRUE(world.sink.contains(part)) << part;
    EXPECT_EQ(world.sink.count(LogLevel::info), world.sink.lines.size());
}

TEST_F(StatusShellTest, a_silent_log_is_given_up_at_the_deadline) {
    report({log, silent});
    EXPECT_EQ(snapshots(), 0U);
    world.pass(StatusCore::patience);
    EXPECT_EQ(snapshots(), 1U);
    EXPECT_TRUE(world.sink.contains("(a log is missing here: no answer)"));
}

TEST_F(StatusShellTest, a_log_that_has_ended_is_not_waited_for) {
    auto ended = silent;
    world.end(silent);
    report({ended, log});
    EXPECT_EQ(snapshots(), 1U);
    EXPECT_TRUE(world.sink.contains("(a log is missing here: "));
}

TEST_F(StatusShellTest, requests_that_overlap_are_merged_into_one_more) {
    report({silent});
    report({log});
    report({log});
    world.pass(StatusCore::patience);
    EXPECT_EQ(snapshots(), 2U);
}

TEST_F(StatusShellTest, a_snapshot_that_was_asked_for_is_answered_and_not_logged) {
    gather({log});
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].daemon, (DaemonIdentity{"1.2.3", 7}));
    EXPECT_EQ(std::get<LogStatus>(answers[0].logs.at(0)), example());
    EXPECT_TRUE(world.sink.lines.empty());
}

TEST_F(StatusShellTest, who_asks_meanwhile_gets_the_next_snapshot) {
    report({silent});
    gather({log});
    report({log});
    EXPECT_TRUE(answers.empty());
    world.pass(StatusCore::patience);
    EXPECT_EQ(answers.size(), 1U);
    EXPECT_EQ(snapshots(), 2U);
}

}  // namespace
}  // namespace cmirror
