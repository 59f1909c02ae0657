#include <gtest/gtest.h>

#include <algorithm>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cerrno>
#include <cstring>
#include <deque>
#include <set>
#include <utility>

#include "actors/kernel_gateway/kernel_gateway_actor.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror {
namespace {

using namespace std::chrono_literals;
using test::uuid;
using Core = KernelGatewayCore;
using Kind = KernelDatagram::Kind;

KernelRequest request(RequestType type, Luid luid, std::uint32_t seq = 7, std::string_view name = "log") {
    KernelRequest made{.seq = seq, .type = type, .version = 2, .luid = luid, .uuid = uuid(name), .payload = {}};
    if (type == RequestType::ctr) made.payload = ConstructorText{"100 clustered-core 8", false};
    return made;
}

std::vector<std::byte> frame_of(const KernelRequest& made) {
    std::vector<std::byte> frame(kernel_frame_size_max);
    frame.resize(pack_kernel_request(made, frame));
    return frame;
}

class KernelGatewayCoreTest : public testing::Test {
  protected:
    Core::Verdict frame(const KernelRequest& made) { return core.on_frame(frame_of(made)); }
    void bad_frame(std::span<const std::byte> bytes) {
        EXPECT_FALSE(core.refuse(std::get<Core::Bad>(core.on_frame(bytes)), now, lines));
    }
    std::string counter(std::string_view name) const {
        for (const auto& [field, value] : core.status(now).fields)
            if (field == name) return value;
        return "none";
    }

    TimePoint now;
    LogLines lines;
    Core core{2};
};

TEST_F(KernelGatewayCoreTest, request_of_a_routed_log_goes_to_its_slot) {
    const auto slot = core.add_route(uuid("log"), 1, lines).value();
    const auto verdict = frame(request(RequestType::flush, 1));
    EXPECT_EQ(std::get<Core::ToLog>(verdict).slot, slot);
    EXPECT_EQ(std::get<Core::ToLog>(verdict).request.seq, 7U);
}

TEST_F(KernelGatewayCoreTest, request_of_an_unknown_luid_goes_to_the_supervisor) {
    EXPECT_TRUE(std::holds_alternative<Core::ToSupervisor>(frame(request(RequestType::flush, 1))));
}

TEST_F(KernelGatewayCoreTest, request_with_another_uuid_goes_to_the_supervisor) {
    core.add_route(uuid("other"), 1, lines);
    EXPECT_TRUE(std::holds_alternative<Core::ToSupervisor>(frame(request(RequestType::flush, 1))));
}

TEST_F(KernelGatewayCoreTest, ctr_always_goes_to_the_supervisor) {
    core.add_route(uuid("log"), 1, lines);
    EXPECT_TRUE(std::holds_alternative<Core::ToSupervisor>(frame(request(RequestType::ctr, 1))));
}

TEST_F(KernelGatewayCoreTest, removed_route_sends_to_the_supervisor_and_frees_its_slot) {
    const auto slot = core.add_route(uuid("log"), 1, lines);
    EXPECT_EQ(core.remove_route(1), slot);
    EXPECT_EQ(core.remove_route(1), std::nullopt);
    EXPECT_TRUE(std::holds_alternative<Core::ToSupervisor>(frame(request(RequestType::flush, 1))));
    EXPECT_EQ(core.add_route(uuid("log"), 2, lines), slot);
}

TEST_F(KernelGatewayCoreTest, routes_are_bounded) {
    EXPECT_TRUE(core.add_route(uuid("a"), 1, lines));
    EXPECT_TRUE(core.add_route(uuid("b"), 2, lines));
    EXPECT_FALSE(core.add_route(uuid("c"), 3, lines));
    EXPECT_EQ(lines.at(0).level, LogLevel::error);
}

TEST_F(KernelGatewayCoreTest, short_frame_is_dropped_and_counted) {
    const std::array<std::byte, 3> bytes{};
    bad_frame(bytes);
    EXPECT_EQ(counter("fault " + std::string(name_of(KernelFrameFault::short_frame))), "1");
    EXPECT_EQ(counter("requests"), "0");
}

TEST_F(KernelGatewayCoreTest, faults_are_logged_once_in_ten_seconds) {
    const std::array<std::byte, 3> bytes{};
    for (int i = 0; i < 5; ++i)
        bad_frame(bytes);
    EXPECT_EQ(lines.size(), 1U);
    now += 10s;
    bad_frame(bytes);
    EXPECT_EQ(lines.size(), 2U);
}

TEST_F(KernelGatewayCoreTest, what_is_no_request_is_counted) {
    core.on_no_frame({Kind::foreign, 40, 0}, now, lines);
    core.on_no_frame({Kind::overrun, 0, 0}, now, lines);
    core.on_no_frame({Kind::overrun, 0, 0}, now, lines);
    core.on_no_frame({Kind::failed, 0, EIO}, now, lines);
    core.on_no_frame({Kind::none, 0, 0}, now, lines);
    EXPECT_EQ(counter("foreign"), "1");
    EXPECT_EQ(counter("overruns"), "2");
    EXPECT_EQ(counter("receive_errors"), "1");
    EXPECT_EQ(lines.size(), 3U);
}

TEST_F(KernelGatewayCoreTest, times_run_from_the_first_request_to_the_reply) {
    const auto reply = [](std::uint32_t seq) {
        return KernelReply{.seq = seq, .type = RequestType::flush, .luid = 1, .payload = {}};
    };
    core.on_request(request(RequestType::flush, 1, 7), now);
    core.on_request(request(RequestType::flush, 1, 8), now + 1ms);
    core.on_request(request(RequestType::flush, 1, 7), now + 2ms);
    EXPECT_EQ(core.on_reply(reply(7), now + 5ms), 5ms);
    EXPECT_EQ(core.on_reply(reply(8), now + 3ms), 2ms);
    EXPECT_EQ(core.on_reply(reply(7), now + 9ms), std::nullopt);
    const auto times = core.status(now).times;
    ASSERT_EQ(times.size(), 1U);
    EXPECT_EQ(times[0].first, "FLUSH");
    EXPECT_EQ(times[0].second.count(), 2U);
    EXPECT_EQ(times[0].second.sum_ns, 7'000'000U);
}

TEST_F(KernelGatewayCoreTest, what_is_not_answered_yet_is_told_with_its_age) {
    // More than there are places for those that are answered at once.
    for (std::uint32_t seq = 0; seq < 40; ++seq)
        core.on_request(request(RequestType::flush, 9, seq), now + std::chrono::milliseconds(seq));
    core.on_reply({.seq = 5, .type = RequestType::flush, .luid = 9, .payload = {}}, now + 50ms);
    auto waiting = core.status(now + 100ms).waiting;
    std::sort(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) { return a.seq < b.seq; });
    ASSERT_EQ(waiting.size(), 39U);
    EXPECT_EQ(waiting.front(), (WaitingRequest{9, 0, 100}));
    EXPECT_EQ(waiting.back(), (WaitingRequest{9, 39, 61}));
}

TEST_F(KernelGatewayCoreTest, replies_that_cannot_be_sent_are_counted) {
    core.on_sent(0, now, lines);
    core.on_sent(EAGAIN, now, lines);
    core.on_sent(ENOBUFS, now, lines);
    core.on_sent(EPERM, now, lines);
    EXPECT_EQ(counter("replies"), "1");
    EXPECT_EQ(counter("send_busy"), "2");
    EXPECT_EQ(counter("send_errors"), "1");
}

// -- the shell ---------------------------------------------------------------------------------------

class QueuedSocket final : public KernelSocket {
  public:
    int descriptor() const override { return 9; }
    KernelDatagram receive(std::span<std::byte> buffer) override {
        ++receives;
        if (waiting.empty()) return {at_end, 0, 0};
        const auto frame = std::move(waiting.front());
        waiting.pop_front();
        std::memcpy(buffer.data(), frame.data(), frame.size());
        return {Kind::from_kernel, frame.size(), 0};
    }
    int send(std::span<const std::byte> frame) override {
        sent.emplace_back(frame.begin(), frame.end());
        return send_code;
    }
    std::deque<std::vector<std::byte>> waiting;
    std::vector<std::vector<std::byte>> sent;
    Kind at_end = Kind::none;
    int send_code = 0;
    int receives = 0;
};

SupervisorActor::behavior_type supervisor_probe(SupervisorActor::pointer, std::vector<KernelRequest>* seen) {
    return {[seen](const KernelRequest& asked) { seen->push_back(asked); }, [](const LogEnded&) {},
            [](const NodeGone&) { return ControlReply{}; }, [](const StatusRequest&) { return StatusSnapshot{}; },
            [](descriptor_ready_atom, int) {}};
}

MirrorLogActor::behavior_type log_probe(MirrorLogActor::pointer, std::vector<KernelRequest>* seen) {
    return {[seen](const KernelRequest& asked) { seen->push_back(asked); },
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
            [](const StatusQuery&) { return LogStatus{}; }};
}

class Recorder final : public EventRecorder {
  public:
    void answered(const AnsweredRequest& made) noexcept override { answers.push_back(made); }
    std::vector<std::string> recent() const override { return {}; }
    std::vector<AnsweredRequest> answers;
};

class Journal final : public RequestJournal {
  public:
    void received(std::uint32_t seq) noexcept override { waiting.insert(seq); }
    void answered(std::uint32_t seq) noexcept override { waiting.erase(seq); }
    std::vector<std::uint32_t> take_unanswered() override { return {7, 9}; }
    std::set<std::uint32_t> waiting;
};

class KernelGatewayShellTest : public testing::Test {
  protected:
    KernelGatewayShellTest() {
        supervisor = world.system->spawn(supervisor_probe, &to_supervisor);
        log = world.system->spawn(log_probe, &to_log);
        actor = world.system->spawn(kernel_gateway, KernelGatewayConfig{.socket = &socket,
                                                                        .watcher = &world.watcher,
                                                                        .sink = &world.sink,
                                                                        .supervisor = supervisor,
                                                                        .recorder = &recorder,
                                                                        .journal = &journal});
        world.run();
        asked_again = std::exchange(socket.sent, {});
    }
    ~KernelGatewayShellTest() override {
        caf::anon_send(actor, Shutdown{});
        world.run();
        EXPECT_TRUE(world.watcher.owners.empty());
        actor = nullptr;
        world.end(log);
        world.end(supervisor);
    }
    void receive(const KernelRequest& made) {
        socket.waiting.push_back(frame_of(made));
        EXPECT_TRUE(world.watcher.make_readable(9));
        world.run();
    }
    template <class Message>
    void send(Message message) {
        caf::anon_send(actor, std::move(message));
        world.run();
    }

    Recorder recorder;
    Journal journal;
    std::vector<std::vector<std::byte>> asked_again;
    QueuedSocket socket;
    std::vector<KernelRequest> to_supervisor;
    std::vector<KernelRequest> to_log;
    test::ActorWorld world;
    SupervisorActor supervisor;
    MirrorLogActor log;
    KernelGatewayActor actor;
};

TEST_F(KernelGatewayShellTest, routes_follow_the_supervisor) {
    receive(request(RequestType::get_sync_count, 1));
    EXPECT_EQ(to_supervisor.size(), 1U);
    send(RouteAdded{uuid("log"), 1, log});
    receive(request(RequestType::flush, 1));
    EXPECT_EQ(to_log.size(), 1U);
    send(RouteRemoved{1});
    receive(request(RequestType::flush, 1));
    EXPECT_EQ(to_log.size(), 1U);
    EXPECT_EQ(to_supervisor.size(), 2U);
}

TEST_F(KernelGatewayShellTest, answers_are_recorded) {
    send(RouteAdded{uuid("log"), 1, log});
    receive(request(RequestType::flush, 1, 3));
    world.pass(2ms);
    send(KernelReply{.seq = 3, .type = RequestType::flush, .luid = 1, .error = -EIO, .payload = {}});
    ASSERT_EQ(recorder.answers.size(), 1U);
    EXPECT_EQ(recorder.answers[0].seq, 3U);
    EXPECT_EQ(recorder.answers[0].error, -EIO);
    EXPECT_EQ(recorder.answers[0].took, 2ms);
}

TEST_F(KernelGatewayShellTest, what_an_earlier_daemon_left_unanswered_is_asked_for_again) {
    ASSERT_EQ(asked_again.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        const auto reply = unpack_kernel_reply(asked_again[i]);
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->seq, i == 0 ? 7U : 9U);
        EXPECT_EQ(reply->error, -EAGAIN);
    }
}

TEST_F(KernelGatewayShellTest, request_is_in_the_journal_until_its_answer_is_sent) {
    send(RouteAdded{uuid("log"), 1, log});
    receive(request(RequestType::flush, 1, 3));
    EXPECT_EQ(journal.waiting, std::set<std::uint32_t>{3});
    socket.send_code = EAGAIN;
    send(KernelReply{.seq = 3, .type = RequestType::flush, .luid = 1, .error = 0, .payload = {}});
    EXPECT_EQ(journal.waiting, std::set<std::uint32_t>{3});
    socket.send_code = 0;
    send(KernelReply{.seq = 3, .type = RequestType::flush, .luid = 1, .error = 0, .payload = {}});
    EXPECT_TRUE(journal.waiting.empty());
}

TEST_F(KernelGatewayShellTest, a_burst_is_received_one_a_turn_and_in_order) {
    send(RouteAdded{uuid("log"), 1, log});
    for (std::uint32_t seq = 0; seq < 150; ++seq)
        socket.waiting.push_back(frame_of(request(RequestType::flush, 1, seq)));
    for (std::size_t turn = 1; turn <= 150; ++turn) {
        world.watcher.make_readable(9);
        world.run();
        ASSERT_EQ(to_log.size(), turn);
    }
    for (std::uint32_t seq = 0; seq < 150; ++seq)
        EXPECT_EQ(to_log[seq].seq, seq);
    EXPECT_TRUE(world.watcher.armed.contains(9));
}

TEST_F(KernelGatewayShellTest, a_reply_is_sent_as_a_frame) {
    send(KernelReply{.seq = 3, .type = RequestType::in_sync, .luid = 1, .error = 0, .payload = std::uint64_t{1}});
    ASSERT_EQ(socket.sent.size(), 1U);
    const auto reply = unpack_kernel_reply(socket.sent[0]);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->seq, 3U);
    EXPECT_EQ(reply->data.size(), 8U);
}

TEST_F(KernelGatewayShellTest, a_bad_request_reaches_nobody) {
    auto cut = request(RequestType::in_sync, 1);
    cut.payload = RegionNumber{3};
    auto frame = frame_of(cut);
    frame.resize(frame.size() - 4);  // ends before its data does
    socket.waiting.push_back(frame);
    world.watcher.make_readable(9);
    world.run();
    EXPECT_TRUE(to_supervisor.empty());
    EXPECT_EQ(world.sink.count(LogLevel::warning), 1U);
}

TEST_F(KernelGatewayShellTest, a_full_socket_is_survived) {
    socket.send_code = EAGAIN;
    send(KernelReply{.seq = 3, .type = RequestType::dtr, .luid = 1, .error = 0, .payload = {}});
    EXPECT_EQ(world.sink.count(LogLevel::warning), 1U);
}

TEST_F(KernelGatewayShellTest, a_closed_socket_is_not_watched_any_more) {
    socket.at_end = Kind::closed;
    world.watcher.make_readable(9);
    world.run();
    EXPECT_TRUE(world.watcher.armed.empty());
    EXPECT_EQ(world.sink.count(LogLevel::error), 1U);
}

}  // namespace
}  // namespace cmirror
