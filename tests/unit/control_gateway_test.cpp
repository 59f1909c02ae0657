// The control socket's requests: their format, who may ask, what is passed on.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <filesystem>
#include <thread>

#include "actors/control_gateway/control_gateway_actor.hpp"
#include "adapters/control_socket/fake_control_socket.hpp"
#include "adapters/control_socket/unix_control_socket.hpp"
#include "messages/wire_control.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror {
namespace {

constexpr auto good = R"({"version":1,"request":"node-gone","node":3})";

TEST(ControlFormat, request_and_reply_survive) {
    EXPECT_EQ(unpack_control_request(pack_control_request(NodeGone{7})).value(), ControlRequest{NodeGone{7}});
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
            [](descriptor_ready_atom, int) {}};
}

struct ControlGatewayTest : testing::Test {
    ControlGatewayTest() {
        supervisor = world.system->spawn(supervisor_probe, &gone);
        ControlGatewayConfig config{&socket, &world.watcher, &world.sink, supervisor};
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
        socket.ask({std::move(text), user, "asker"});
        EXPECT_TRUE(world.watcher.make_readable(socket.descriptor()));
        world.run();
        return socket.replies.empty() ? "" : socket.replies.at(0).second;
    }

    FakeDescriptors descriptors;
    FakeControlSocket socket{descriptors};
    std::vector<NodeId> gone;
    test::ActorWorld world;
    SupervisorActor supervisor;
    ControlGatewayActor actor;
};

TEST_F(ControlGatewayTest, node_that_is_gone_is_passed_on_and_answered) {
    EXPECT_EQ(ask(good), R"({"logs":2,"version":1})");
    EXPECT_EQ(gone, std::vector<NodeId>{3});
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
};

TEST_F(ControlSocketTest, request_comes_with_its_user_and_the_reply_reaches_who_asked) {
    auto socket = UnixControlSocket::open(path);
    ASSERT_TRUE(socket) << socket.error();
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    Result<std::string, std::string> answer;
    std::thread asker([&] { answer = ask_control_socket(path, "question", 10'000); });
    std::optional<ControlDatagram> datagram;
    while (!datagram)
        datagram = (*socket)->receive();
    EXPECT_EQ(datagram->text, "question");
    EXPECT_EQ(datagram->user, ::geteuid());
    (*socket)->reply(datagram->reply_to, "answer");
    asker.join();
    EXPECT_EQ(answer.value(), "answer");
    EXPECT_FALSE((*socket)->receive());
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

}  // namespace
}  // namespace cmirror
