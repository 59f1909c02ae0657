// A joiner gets the state of others: whole, broken on its way, of another mirror, or too late.
#include <gtest/gtest.h>

#include <stdexcept>

#include "actors/mirror_log/state_transfer.hpp"
#include "tests/unit/log_cluster.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

constexpr const char* table = "4000 clustered-core 8 nosync";

class StateArrivesTests : public ::testing::Test {
  protected:
    StateArrivesTests() {
        cluster.start(1);
        cluster.call(1, RequestType::mark_region, LogCluster::regions({3}));
        cluster.call(1, RequestType::flush, RegionList{});
    }
    /// Node 2 asks to be let in; nothing of it is delivered yet.
    void ask_in(const std::string& arguments = table) {
        cluster.add(2);
        cluster.call(2, RequestType::ctr, ConstructorText{arguments, false});
        resume = cluster.ask(2, RequestType::resume);
    }
    /// Delivers until a chunk of the state is the next that the joiner gets.
    StateChunk& await_chunk() {
        for (int turn = 0; turn < 1'000; ++turn) {
            auto& inbox = cluster[2].inbox;
            if (!inbox.empty())
                if (auto* delivery = std::get_if<std::pair<MemberId, ClusterMessage>>(&inbox.front()))
                    if (auto* chunk = std::get_if<StateChunk>(&delivery->second)) return *chunk;
            const bool moved = cluster.step(2);
            if (!cluster.step(1) && !moved) cluster.advance(100ms);
        }
        throw std::runtime_error("no state is sent");
    }
    bool told(const std::string& part) {
        for (const std::string& line : cluster[2].lines)
            if (line.find(part) != std::string::npos) return true;
        return false;
    }
    bool joiner_knows_the_mark() {
        const auto marked = cluster.call(2, RequestType::is_clean, RegionNumber{3});
        const auto other = cluster.call(2, RequestType::is_clean, RegionNumber{4});
        return marked && marked->payload == ReplyPayload{std::uint64_t{0}} && other &&
               other->payload == ReplyPayload{std::uint64_t{1}};
    }
    LogCluster cluster{table};
    std::uint32_t resume = 0;
};

TEST_F(StateArrivesTests, state_that_comes_whole_is_taken) {
    ask_in();
    await_chunk();
    cluster.settle();
    ASSERT_TRUE(cluster.reply_to(2, resume));
    EXPECT_TRUE(joiner_knows_the_mark());
    EXPECT_FALSE(told("broken"));
}

TEST_F(StateArrivesTests, chunk_that_does_not_unpack_is_no_state_and_the_joiner_comes_again) {
    ask_in();
    for (std::byte& byte : await_chunk().compressed)
        byte = ~byte;
    cluster.settle();
    EXPECT_TRUE(told("the state that node 1 sent is broken: joining again"));
    ASSERT_TRUE(cluster.reply_to(2, resume));
    EXPECT_TRUE(joiner_knows_the_mark());
}

TEST_F(StateArrivesTests, chunk_beyond_their_number_breaks_the_state) {
    ask_in();
    StateChunk& chunk = await_chunk();
    chunk.index = chunk.count;
    cluster.settle();
    EXPECT_TRUE(told("is broken: joining again"));
    EXPECT_TRUE(joiner_knows_the_mark());
}

TEST_F(StateArrivesTests, state_that_is_cut_is_not_this_mirrors_and_requests_wait) {
    ask_in();
    // What another table's state looks like: whole, and too short for this one.
    Effects effects;
    LogState other{100};
    other.start(true);
    other.freeze();
    StateSender{0}.start(other, effects);
    await_chunk().compressed = std::get<StateChunk>(std::get<SendEffect>(effects[0]).message).compressed;
    cluster.settle();
    EXPECT_TRUE(told("does not fit this mirror"));
    EXPECT_FALSE(cluster.call(2, RequestType::mark_region, LogCluster::regions({5})));
    EXPECT_TRUE(cluster.call(1, RequestType::mark_region, LogCluster::regions({5})));
}

TEST_F(StateArrivesTests, joiner_that_gives_up_does_not_come_again_for_a_broken_state) {
    ask_in();
    await_chunk().compressed.clear();
    cluster.ask(2, RequestType::presuspend);
    cluster.ask(2, RequestType::postsuspend);
    cluster.settle();
    cluster.advance(5s);
    EXPECT_FALSE(cluster[2].joined);
    cluster.call(1, RequestType::mark_region, LogCluster::regions({7}));
    EXPECT_TRUE(cluster.call(1, RequestType::flush, RegionList{}));
}

}  // namespace
}  // namespace cmirror::mirror_log
