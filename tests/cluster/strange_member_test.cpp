// A process that is no cmirrord joins a log's group and sends whatever it likes: each message is dropped and counted,
// a few lines tell of it, and the log goes on as if it were not there.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "messages/wire_cluster.hpp"
#include "tests/cluster/corosync_member.hpp"
#include "tests/cluster/three_daemons.hpp"

namespace cmirror::test {
namespace {

using Bytes = std::vector<std::byte>;

constexpr auto group = "LVM-three-daemons";
constexpr std::size_t data_size_at = 180;
constexpr std::size_t uuid_at = 32;
constexpr std::size_t type_at = 176;
/// Of an Ops message with one op: it ends with the kind, the region, the count.
constexpr std::size_t op_size = 17;

Bytes frame_of(const ClusterMessage& message, const std::string& name = group) {
    return pack_cluster_message(message, *Uuid::from_text(name));
}

LegacyFrame legacy_frame(std::uint32_t type, std::size_t data_size) {
    LegacyFrame frame;
    frame.version = 2;
    frame.type = type;
    frame.data.assign(data_size, std::byte{0xff});
    return frame;
}

Bytes with(Bytes frame, std::size_t at, std::uint32_t value) {
    std::memcpy(&frame.at(at), &value, sizeof value);
    return frame;
}

/// What no cmirrord ever sends.
std::vector<Bytes> strange_frames() {
    const Bytes ops = frame_of(Ops{7, 0, 1, {{OpKind::mark, 3, 1}}});
    const std::size_t op_at = ops.size() - op_size;
    std::vector<Bytes> frames{Bytes(1), Bytes(183, std::byte{5}), Bytes(100'000, std::byte{0x5a})};
    // Cut at every place where a part ends, and one byte behind.
    for (const std::size_t size : {4U, 8U, 15U, 16U, 31U, 100U, 183U, 184U, 185U, 195U, 196U, 204U})
        frames.emplace_back(ops.begin(), ops.begin() + size);
    frames.push_back(ops);
    frames.back().push_back(std::byte{0});
    frames.push_back(frame_of(Ops{7, 0, 1, {{OpKind::mark, 3, 1}}}, "LVM-another"));
    frames.push_back(ops);
    std::fill_n(frames.back().begin() + uuid_at, 129, std::byte{'x'});
    frames.push_back(with(ops, data_size_at, 0xffffffffU));
    frames.push_back(with(ops, 0, 4));
    frames.push_back(with(ops, 0, 77));
    // Ops without end, of unknown kind, with a range that wraps around.
    frames.push_back(with(ops, op_at - 4, 0xfffffffU));
    frames.push_back(ops);
    frames.back().at(op_at) = std::byte{99};
    frames.push_back(ops);
    std::fill_n(frames.back().begin() + op_at + 1, 8, std::byte{0xff});
    // Kinds of request that do not exist, and one that is none at all.
    frames.push_back(frame_of(legacy_frame(0, 8)));
    frames.push_back(frame_of(legacy_frame(99, 8)));
    frames.push_back(with(frame_of(legacy_frame(1, 0)), type_at, 0xdeadbeefU));
    return frames;
}

struct StrangeMember : ThreeDaemons {
    Member stranger;

    void SetUp() override {
        start_in_sync();
        start_writing();
        stranger = join(cluster.corosync(), 1, group);
    }
    void say(const Bytes& frame) {
        auto sent = ClusterCall::try_again;
        ASSERT_TRUE(cluster.until([&] {
            sent = stranger.connection->multicast(frame);
            return sent != ClusterCall::try_again;
        }));
        ASSERT_EQ(sent, ClusterCall::done);
    }
    bool until_named(NodeId id, std::size_t since) {
        return cluster.until([&] {
            return std::ranges::any_of(cluster.lines_since(id, since), [](const std::string& line) {
                return line.find("waits for a word of node 1 (process " + std::to_string(::getpid())) !=
                       std::string::npos;
            });
        });
    }
    /// Sum of the faults that the daemon counts.
    std::uint64_t faults(NodeId id) {
        const auto from = cluster.said(id);
        EXPECT_TRUE(cluster.snapshot(id));
        std::uint64_t sum = 0;
        for (const auto& line : cluster.lines_since(id, from))
            if (line.find("  fault ") != std::string::npos) sum += std::stoull(line.substr(line.rfind(' ')));
        return sum;
    }
};

TEST_F(StrangeMember, everything_it_sends_is_dropped_counted_and_told_of_with_few_lines) {
    const auto frames = strange_frames();
    std::array<std::size_t, 4> from{};
    for (const NodeId id : {1U, 2U, 3U})
        from.at(id) = cluster.said(id);
    constexpr int rounds = 20;
    for (int i = 0; i < rounds; ++i)
        for (const Bytes& frame : frames)
            say(frame);
    ASSERT_TRUE(cluster.until_more_writes(50, {1, 2, 3})) << cluster.report();
    for (const NodeId id : {1U, 2U, 3U}) {
        const auto lines = cluster.lines_since(id, from.at(id));
        EXPECT_GE(lines.size(), 3U) << cluster.report();
        EXPECT_LE(lines.size(), 20U) << "one a kind" << cluster.report();
        EXPECT_TRUE(std::ranges::all_of(lines, [](const std::string& line) {
            return line.find("bad message") != std::string::npos || line.find("old protocol") != std::string::npos;
        })) << cluster.report();
        EXPECT_TRUE(cluster.until([&] { return faults(id) == frames.size() * rounds; }))
            << faults(id) << " of " << frames.size() * rounds << cluster.report();
    }
    stranger.connection.reset();
    expect_well();
    EXPECT_TRUE(cluster.until_in_sync()) << cluster.report();
}

TEST_F(StrangeMember, parts_of_a_state_and_answers_that_nobody_asked_for_change_nothing) {
    Bytes rubbish(40'000, std::byte{0xa5});
    for (std::uint32_t index = 0; index < 3; ++index)
        say(frame_of(StateChunk{9, index, 3, rubbish}));
    say(frame_of(StateBegin{9}));
    say(frame_of(Ops{7, 0, 1, {{OpKind::failed, 3, 1}, {OpKind::node_gone, 2, 1}, {OpKind::clear, 0, 64}}}));
    say(frame_of(Ops{7, 1'000'000, 1, {{OpKind::marked_unknown, 0, 1}}}));
    say(frame_of(Confirm{{{{1, 1}, 5, 1'000'000, -5}}}));
    say(frame_of(Valid{7}));
    say(frame_of(Anew{7}));
    say(frame_of(Standing{7, true, ~std::uint64_t{0}, ~std::uint64_t{0}}));
    ASSERT_TRUE(cluster.until_more_writes(50, {1, 2, 3})) << cluster.report();
    // Somebody else joins meanwhile and takes its state from one that has it.
    cluster.kill_daemon(3);
    cluster.start_daemon(3);
    for (std::uint32_t index = 0; index < 3; ++index)
        say(frame_of(StateChunk{1, index, 3, rubbish}));
    ASSERT_TRUE(cluster.until_more_writes(50, {1, 2, 3})) << cluster.report();
    stranger.connection.reset();
    expect_well();
    EXPECT_TRUE(cluster.until_in_sync()) << cluster.report();
}

// A node runs one cmirrord: nobody waits for another process of a node whose cmirrord has spoken.
TEST_F(StrangeMember, that_was_in_the_group_before_all_others_does_not_hold_them_up) {
    for (const NodeId id : {1U, 2U, 3U})
        cluster.kill_daemon(id);
    for (const NodeId id : {2U, 3U, 1U})
        cluster.start_daemon(id);
    // Nobody has the state of a core log any more.
    for (const NodeId id : {1U, 2U, 3U})
        cluster.recover(id);
    EXPECT_TRUE(cluster.until_in_sync()) << cluster.report();
    expect_well();
}

TEST_F(StrangeMember, does_not_hold_up_partitions_that_merge) {
    cluster.corosync().disconnect(3);
    ASSERT_TRUE(cluster.until_more_writes(20, {1, 2})) << cluster.report();
    cluster.corosync().connect(3);
    expect_well();
    EXPECT_TRUE(cluster.until_in_sync()) << cluster.report();
}

// It might have the state, as far as the others can tell.
TEST_F(StrangeMember, on_a_node_without_a_cmirrord_is_named_and_waited_for) {
    for (const NodeId id : {1U, 2U, 3U})
        cluster.kill_daemon(id);
    const auto from = cluster.said(2);
    for (const NodeId id : {2U, 3U})
        cluster.start_daemon(id);
    EXPECT_TRUE(until_named(2, from)) << cluster.report();
    stranger.connection.reset();
    cluster.start_daemon(1);
    // Nobody has the state of a core log any more.
    for (const NodeId id : {1U, 2U, 3U})
        cluster.recover(id);
    EXPECT_TRUE(cluster.until_in_sync()) << cluster.report();
    expect_well();
}

TEST_F(StrangeMember, on_a_node_without_a_cmirrord_is_named_and_waited_for_when_partitions_merge) {
    cluster.kill_daemon(1);
    const auto from = cluster.said(2);
    cluster.corosync().disconnect(3);
    ASSERT_TRUE(cluster.until_more_writes(20, {2})) << cluster.report();
    cluster.corosync().connect(3);
    EXPECT_TRUE(until_named(2, from)) << cluster.report();
    stranger.connection.reset();
    cluster.start_daemon(1);
    expect_well();
    EXPECT_TRUE(cluster.until_in_sync()) << cluster.report();
}

}  // namespace
}  // namespace cmirror::test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    cmirror::test::enter_private_namespaces();
    return RUN_ALL_TESTS();
}
