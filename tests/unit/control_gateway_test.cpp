// The control socket's requests: their format, who may ask, what is passed on.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "actors/control_gateway/control_gateway_actor.hpp"
#include "adapters/control_socket/fake_control_socket.hpp"
#include "adapters/control_socket/unix_address.hpp"
#include "adapters/control_socket/unix_control_socket.hpp"
#include "messages/wire_control.hpp"
#include "messages/wire_status.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror {
namespace {

constexpr auto good = R"({"version":1,"request":"node-gone","node":3})";

TEST(ControlFormat, request_and_reply_survive) {
    for (const ControlRequest& request :
         {ControlRequest{NodeGone{7}}, ControlRequest{StatusRequest{}}, ControlRequest{EventsRequest{}}})
        EXPECT_EQ(unpack_control_request(pack_control_request(request)).value(), request);
    for (const ControlReply& reply : {ControlReply{{}, 4}, ControlReply{"no", 0}})
        EXPECT_EQ(unpack_control_reply(pack_control_reply(reply)).value(), reply);
}

TEST(ControlFormat, what_is_no_request_is_refused) {
    for (const auto* bad :
         {"", "{", "[]", "3", R"({"request":"node-gone","node":3})", R"({"version":2,"request":"node-gone","node":3})",
          R"({"version":1,"request":"node-gone"})", R"({"version":1,"request":"node-gone","node":0})",
          R"({"version":1,"request":"node-gone","node":-1})", R"({"version":1,"request":"node-gone","node":"3"})",
          R"({"version":1,"request":"node-gone","node":4294967296})", R"({"version":1,"request":"stop"})",
          R"({"version":1,"request":["node-gone"],"node":3})"})
        EXPECT_FALSE(unpack_control_request(bad)) << bad;
}

SupervisorActor::behavior_type supervisor_probe(SupervisorActor::pointer, std::vector<NodeId>* gone) {
    return {[](const KernelRequest&) {}, [](const LogEnded&) {},
            [gone](const NodeGone& said) {
                gone->push_back(said.node);
                return ControlReply{{}, 2};
            },
            [](const StatusRequest&) {
                StatusSnapshot snapshot;
                snapshot.daemon.node = 4;
                return snapshot;
            },
            [](descriptor_ready_atom, int) {}};
}

class TwoEvents final : public EventRecorder {
  public:
    void answered(const AnsweredRequest&) noexcept override {}
    std::vector<std::string> recent() const override { return {"first", "second"}; }
};

struct ControlGatewayTest : testing::Test {
    ControlGatewayTest() {
        supervisor = world.system->spawn(supervisor_probe, &gone);
        ControlGatewayConfig config{&socket, &world.watcher, &world.sink, supervisor, &recorder};
        actor = world.system->spawn(control_gateway, std::move(config));
        world.run();
    }
    ~ControlGatewayTest() override {
        caf::anon_send(actor, Shutdown{});
        world.run();
        actor = nullptr;
        world.end(supervisor);
    }
    std::string ask(std::string text, std::uint32_t user = 0) {
        socket.replies.clear();
        socket.ask({std::move(text), user, 9});
        EXPECT_TRUE(world.watcher.make_readable(socket.descriptor()));
        world.run();
        if (socket.replies.size() != 1 || socket.replies[0].first != 9) return "";
        return socket.replies[0].second;
    }

    FakeDescriptors descriptors;
    FakeControlSocket socket{descriptors};
    TwoEvents recorder;
    std::vector<NodeId> gone;
    test::ActorWorld world;
    SupervisorActor supervisor;
    ControlGatewayActor actor;
};

TEST_F(ControlGatewayTest, node_that_is_gone_is_passed_on_and_answered) {
    EXPECT_EQ(ask(good), R"({"logs":2,"version":1})");
    EXPECT_EQ(gone, std::vector<NodeId>{3});
}

TEST_F(ControlGatewayTest, status_is_answered_as_a_whole) {
    EXPECT_EQ(unpack_status(ask(R"({"version":1,"request":"status"})")).value().daemon.node, 4U);
}

TEST_F(ControlGatewayTest, events_are_answered_from_memory) {
    EXPECT_EQ(unpack_events(ask(R"({"version":1,"request":"events"})")).value(),
              (std::vector<std::string>{"first", "second"}));
}

TEST_F(ControlGatewayTest, only_root_may_ask) {
    EXPECT_NE(ask(good, 1000).find("root"), std::string::npos);
    EXPECT_TRUE(gone.empty());
    EXPECT_TRUE(world.sink.contains("user 1000"));
}

TEST_F(ControlGatewayTest, bad_request_is_answered_and_the_next_one_served) {
    EXPECT_NE(ask("nonsense").find("error"), std::string::npos);
    EXPECT_TRUE(gone.empty());
    EXPECT_EQ(ask(good), R"({"logs":2,"version":1})");
}

struct ControlSocketTest : testing::Test {
    std::string path = std::filesystem::temp_directory_path() / ("control_test." + std::to_string(::getpid()));
    ~ControlSocketTest() override { std::filesystem::remove(path); }

    /// Serves the socket until `done` says so.
    template <class Done>
    static void serve(UnixControlSocket& socket, const std::function<std::string(const ControlQuestion&)>& answer,
                      Done done) {
        while (!done()) {
            pollfd entry{socket.descriptor(), POLLIN, 0};
            ::poll(&entry, 1, 20);
            if (const auto question = socket.receive()) socket.reply(question->asker, answer(*question));
        }
    }
    UniqueFd connect() const {
        UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM, 0)};
        const auto address = unix_address(path);
        EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address), 0);
        return socket;
    }
};

TEST_F(ControlSocketTest, question_comes_with_its_user_and_the_reply_reaches_who_asked) {
    auto socket = UnixControlSocket::open(path);
    ASSERT_TRUE(socket) << socket.error();
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    // Far more than a socket's buffer takes.
    const std::string long_answer(5'000'000, 'x');
    std::atomic<bool> ended = false;
    Result<std::string, std::string> answer;
    std::thread asker([&] {
        answer = ask_control_socket(path, "question", 30'000);
        ended = true;
    });
    serve(
        **socket,
        [&](const ControlQuestion& question) {
            EXPECT_EQ(question.text, "question");
            EXPECT_EQ(question.user, ::geteuid());
            return long_answer;
        },
        [&] { return ended.load(); });
    asker.join();
    EXPECT_EQ(answer.value(), long_answer);
    EXPECT_EQ((*socket)->connections(), 0U);
}

TEST_F(ControlSocketTest, one_that_does_not_read_keeps_nobody_waiting) {
    auto socket = UnixControlSocket::open(path).value();
    const UniqueFd lazy = connect();
    ASSERT_EQ(::send(lazy.get(), "a\n", 2, 0), 2);
    std::atomic<bool> ended = false;
    Result<std::string, std::string> answer;
    std::thread asker([&] {
        answer = ask_control_socket(path, "b", 30'000);
        ended = true;
    });
    serve(
        *socket,
        [](const ControlQuestion& question) {
            return question.text == "a" ? std::string(5'000'000, 'x') : std::string("answer");
        },
        [&] { return ended.load(); });
    asker.join();
    EXPECT_EQ(answer.value(), "answer");
    EXPECT_EQ(socket->connections(), 1U);
}

TEST_F(ControlSocketTest, silent_ones_give_way_and_those_that_go_are_forgotten) {
    auto socket = UnixControlSocket::open(path).value();
    std::vector<UniqueFd> silent;
    for (std::size_t i = 0; i < UnixControlSocket::connections_max + 3; ++i) {
        silent.push_back(connect());
        socket->receive();
    }
    EXPECT_EQ(socket->connections(), UnixControlSocket::connections_max);
    silent.clear();
    for (std::size_t i = 0; i < 2 * UnixControlSocket::connections_max; ++i)
        socket->receive();
    EXPECT_EQ(socket->connections(), 0U);
}

TEST_F(ControlSocketTest, question_without_end_is_cut) {
    auto socket = UnixControlSocket::open(path).value();
    const UniqueFd asker = connect();
    const std::string endless(3 * control_request_max, 'x');
    ASSERT_EQ(::send(asker.get(), endless.data(), endless.size(), 0), static_cast<ssize_t>(endless.size()));
    std::optional<ControlQuestion> question;
    for (int turn = 0; turn < 10 && !question; ++turn)
        question = socket->receive();
    ASSERT_TRUE(question);
    EXPECT_EQ(question->text.size(), control_request_max);
    EXPECT_FALSE(socket->receive());
}

// The path's mode keeps others out; should that be changed, the system's word of who asks counts.
TEST_F(ControlSocketTest, another_user_is_told_by_the_system) {
    if (::geteuid() != 0) GTEST_FAIL() << "run it as root: it becomes another user";
    constexpr uid_t nobody = 65534;
    auto socket = UnixControlSocket::open(path).value();
    ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setresuid(nobody, nobody, nobody) != 0) ::_exit(1);
        const UniqueFd asker = connect();
        ::_exit(::send(asker.get(), "x\n", 2, 0) == 2 ? 0 : 1);
    }
    std::optional<ControlQuestion> question;
    while (!question) {
        pollfd entry{socket->descriptor(), POLLIN, 0};
        ASSERT_EQ(::poll(&entry, 1, 30'000), 1);
        question = socket->receive();
    }
    EXPECT_EQ(question->user, nobody);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(ControlSocketTest, without_descriptors_who_connects_is_turned_away_and_nobody_waits) {
    auto socket = UnixControlSocket::open(path).value();
    const UniqueFd asker = connect();
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const auto lowest_free = static_cast<rlim_t>(UniqueFd{::dup(0)}.get());
    const rlimit none{lowest_free, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto readable = [&] {
        pollfd entry{socket->descriptor(), POLLIN, 0};
        return ::poll(&entry, 1, 0) == 1;
    };
    ASSERT_TRUE(readable());
    EXPECT_FALSE(socket->receive());
    EXPECT_FALSE(readable()) << "it would be called again and again";
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    char nothing = 0;
    EXPECT_EQ(::recv(asker.get(), &nothing, 1, 0), 0);
    const UniqueFd later = connect();
    socket->receive();
    EXPECT_EQ(socket->connections(), 1U);
}

TEST_F(ControlSocketTest, nobody_listens) {
    const auto answer = ask_control_socket(path, "question", 100);
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().find("does not run"), std::string::npos);
}

TEST_F(ControlSocketTest, stale_socket_is_replaced_and_another_file_is_not) {
    { const auto left = UnixControlSocket::open(path); }
    EXPECT_FALSE(std::filesystem::exists(path)) << "it goes with the daemon";
    const auto first = UnixControlSocket::open(path);
    EXPECT_TRUE(UnixControlSocket::open(path));
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    EXPECT_FALSE(UnixControlSocket::open(path));
}

TEST_F(ControlSocketTest, link_in_its_place_is_refused_and_what_it_leads_to_stays) {
    const auto victim = path + ".victim";
    std::ofstream(victim) << "mine";
    std::filesystem::create_symlink(victim, path);
    EXPECT_FALSE(UnixControlSocket::open(path));
    EXPECT_EQ(std::filesystem::file_size(victim), 4U);
    std::filesystem::remove(victim);
}

}  // namespace
}  // namespace cmirror
