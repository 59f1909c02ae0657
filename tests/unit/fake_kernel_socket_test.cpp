#include "adapters/kernel_socket/fake_kernel_socket.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

namespace cmirror {
namespace {

using Kind = KernelDatagram::Kind;

class FakeKernelSocketTests : public ::testing::Test {
  protected:
    FakeDescriptors descriptors;
    FakeKernelSocket socket{descriptors};
    std::array<std::byte, 8> buffer{};
};

TEST_F(FakeKernelSocketTests, datagrams_come_in_order_until_none_is_left) {
    socket.kernel_sends({std::byte{7}});
    socket.someone_else_sends({});
    socket.overruns();
    EXPECT_TRUE(descriptors.is_readable(socket.descriptor()));
    const auto first = socket.receive(buffer);
    EXPECT_EQ(first.kind, Kind::from_kernel);
    EXPECT_EQ(first.size, 1U);
    EXPECT_EQ(buffer[0], std::byte{7});
    EXPECT_EQ(socket.receive(buffer).kind, Kind::foreign);
    EXPECT_EQ(socket.receive(buffer).kind, Kind::overrun);
    EXPECT_EQ(socket.receive(buffer).kind, Kind::none);
    EXPECT_FALSE(descriptors.is_readable(socket.descriptor()));
}

TEST_F(FakeKernelSocketTests, receive_fails_as_told) {
    socket.receive_fails_once(EIO);
    const auto datagram = socket.receive(buffer);
    EXPECT_EQ(datagram.kind, Kind::failed);
    EXPECT_EQ(datagram.code, EIO);
}

TEST_F(FakeKernelSocketTests, answers_are_kept_unless_the_send_fails) {
    const std::array<std::byte, 2> answer{std::byte{1}, std::byte{2}};
    socket.sends_fail(1, EAGAIN);
    EXPECT_EQ(socket.send(answer), EAGAIN);
    EXPECT_EQ(socket.send(answer), 0);
    EXPECT_EQ(socket.take_answers().size(), 1U);
    EXPECT_TRUE(socket.take_answers().empty());
}

TEST_F(FakeKernelSocketTests, closed_socket_stays_readable) {
    socket.closes();
    EXPECT_EQ(socket.receive(buffer).kind, Kind::closed);
    EXPECT_TRUE(descriptors.is_readable(socket.descriptor()));
}

}  // namespace
}  // namespace cmirror
