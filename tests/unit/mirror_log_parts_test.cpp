// The smaller parts of a log's core: hints, warm marks, the outbox, the device writer, a state on its way.
#include <gtest/gtest.h>

#include "actors/mirror_log/device_writer.hpp"
#include "actors/mirror_log/hint_tracker.hpp"
#include "actors/mirror_log/log_state.hpp"
#include "actors/mirror_log/outbox.hpp"
#include "actors/mirror_log/state_transfer.hpp"
#include "actors/mirror_log/warm_marks.hpp"
#include "messages/wire_disk.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

TEST(HintTrackerTests, unknown_hint_lets_all_writes_pass) {
    EXPECT_TRUE(HintTracker{70}.writes_may_pass(69));
}

TEST(HintTrackerTests, after_a_real_resume_only_what_was_given_counts) {
    HintTracker hint{70};
    hint.resumed();
    EXPECT_FALSE(hint.writes_may_pass(0));
    hint.gave(10, 1s);
    EXPECT_TRUE(hint.writes_may_pass(9));
    EXPECT_FALSE(hint.writes_may_pass(10));
}

TEST(HintTrackerTests, proof_of_a_low_hint_is_not_believed_while_a_higher_one_may_be_under_way) {
    HintTracker hint{70};
    hint.resumed();
    hint.gave(70, 10s);
    hint.proved_at_most(5, 11s);
    EXPECT_EQ(hint.highest(), 70U);
    hint.proved_at_most(5, 20s);
    EXPECT_EQ(hint.highest(), 5U);
}

TEST(HintTrackerTests, write_that_was_let_pass_may_pass_until_writes_were_held_back_for_a_while) {
    HintTracker hint{70};
    hint.resumed();
    hint.answered_recovering(7, false, 100s);
    EXPECT_TRUE(hint.writes_may_pass(7));
    hint.answered_recovering(7, true, 101s);
    EXPECT_TRUE(hint.writes_may_pass(7));
    hint.answered_recovering(7, true, 107s);
    EXPECT_FALSE(hint.writes_may_pass(7));
}

TEST(HintTrackerTests, write_that_was_let_pass_may_have_waited_for_the_group) {
    HintTracker hint{70};
    hint.resumed();
    hint.answered_recovering(7, false, 100s);
    hint.answered_recovering(7, true, 101s);
    hint.interrupted(120s);
    hint.answered_recovering(7, true, 121s);
    EXPECT_TRUE(hint.writes_may_pass(7));
}

TEST(WarmMarksTests, oldest_makes_room) {
    WarmMarks warm{2, 5s};
    EXPECT_FALSE(warm.keep(1, 0s, 0));
    EXPECT_FALSE(warm.keep(2, 0s, 0));
    EXPECT_FALSE(warm.keep(1, 1s, 0));
    EXPECT_EQ(warm.keep(3, 2s, 0), 2U);
}

TEST(WarmMarksTests, idle_ones_go) {
    WarmMarks warm{10, 5s};
    warm.keep(1, 0s, 0);
    warm.keep(2, 3s, 0);
    EXPECT_EQ(warm.take_idle(5s, 10), std::vector<RegionNumber>{1});
    EXPECT_EQ(warm.next_idle(), 8s);
}

TEST(WarmMarksTests, region_keeps_what_its_mark_waits_for) {
    WarmMarks warm{10, 5s};
    warm.keep(1, 0s, 7);
    EXPECT_EQ(warm.remove(1), 7U);
    EXPECT_FALSE(warm.remove(1));
    warm.keep(1, 0s, 7);
    warm.forget_needs();
    EXPECT_EQ(warm.remove(1), 0U);
}

TEST(OutboxTests, ops_are_numbered_without_gaps_and_sent_once) {
    Outbox outbox;
    outbox.start(1, 2);
    EXPECT_EQ(outbox.add({OpKind::mark, 5, 1}), 0U);
    EXPECT_EQ(outbox.add({OpKind::mark, 6, 1}), 1U);
    Effects effects;
    outbox.send(effects, 0s);
    outbox.send(effects, 0s);
    ASSERT_EQ(effects.size(), 1U);
    EXPECT_EQ(std::get<Ops>(std::get<SendEffect>(effects[0]).message).ops.size(), 2U);
}

TEST(OutboxTests, what_was_not_delivered_is_sent_again_with_its_number) {
    Outbox outbox;
    outbox.start(1, 2);
    outbox.add({OpKind::mark, 5, 1});
    outbox.add({OpKind::mark, 6, 1});
    Effects effects;
    outbox.send(effects, 0s);
    outbox.delivered(1, 0s);
    effects.clear();
    outbox.send_again(effects, 3s);
    EXPECT_EQ(std::get<Ops>(std::get<SendEffect>(effects[0]).message).first_seq, 1U);
}

TEST(DeviceWriterTests, only_changed_blocks_are_written) {
    DeviceWriter writer;
    RegionMap clean{10'000'000, true};
    clean.reset(9'999'999);
    writer.changed({device_block_of(9'999'999)});
    const WriteEffect write = writer.start(clean, std::uint64_t{1} << 30U, {});
    ASSERT_EQ(write.blocks.size(), 1U);
    EXPECT_EQ(write.blocks[0].bytes.size(), device_block_size);
}

TEST(DeviceWriterTests, failed_blocks_are_pending_again) {
    DeviceWriter writer;
    writer.changed({0});
    const WriteEffect write = writer.start(RegionMap{70}, 65536, {});
    EXPECT_FALSE(writer.has_pending());
    EXPECT_FALSE(writer.finished(write.write, false)->done);
    EXPECT_TRUE(writer.has_pending());
}

TEST(DeviceWriterTests, outcome_of_a_write_before_the_device_was_given_up_does_not_count) {
    DeviceWriter writer;
    writer.changed({0});
    const WriteEffect write = writer.start(RegionMap{70}, 65536, {});
    writer.forget();
    EXPECT_FALSE(writer.finished(write.write, true));
}

struct StateTests : ::testing::Test {
    LogState state{100'000};
    StateChanges changes;
    StateTests() {
        state.start(true);
        state.joined({1, 7});
        state.hello({1, 7}, Hello{5, {}, 0x10, 1024, 100'000, false}, changes);
        state.became_valid({1, 7});
        state.apply({1, 7}, Ops{5, 0, 0x10, {{OpKind::mark, 3, 5}, {OpKind::failed, 50, 1}}}, changes);
    }
};

TEST_F(StateTests, saved_state_comes_back_equal) {
    LogState copy{100'000};
    ASSERT_TRUE(copy.load(state.save()));
    EXPECT_EQ(copy.save(), state.save());
    EXPECT_EQ(copy.digest(), state.digest());
}

TEST_F(StateTests, state_of_another_size_is_refused) {
    EXPECT_FALSE(LogState{99'999}.load(state.save()));
}

TEST_F(StateTests, saved_state_says_what_size_it_has) {
    const auto saved = state.save();
    const auto copy = LogState::from_saved(saved);
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->save(), saved);
    EXPECT_FALSE(LogState::from_saved({}));
    EXPECT_FALSE(LogState::from_saved(std::span(saved).first(saved.size() - 1)));
    // A size that its bytes cannot have.
    auto large = saved;
    large[14] = std::byte{1};
    EXPECT_FALSE(LogState::from_saved(large));
}

// One that starts the state anew stays in the group: its Hello of before may have been said again just then, and the
// state took that for the one that counts.
TEST_F(StateTests, member_that_introduces_itself_again_is_what_it_said_last) {
    state.joined({2, 8});
    const auto hello = [&](JoinToken token) {
        state.hello({2, 8}, Hello{token, {}, 0x20, 1024, 100'000, false}, changes);
    };
    hello(6);
    hello(7);
    EXPECT_EQ(state.member({2, 8})->token, 7U);
    state.became_valid({2, 8});
    // Too late: it counts.
    hello(6);
    EXPECT_EQ(state.member({2, 8})->token, 7U);
    EXPECT_TRUE(state.member({2, 8})->valid);
}

TEST_F(StateTests, state_cut_anywhere_is_refused) {
    const auto saved = state.save();
    for (std::size_t size = 0; size < saved.size(); size += 97)
        EXPECT_FALSE(LogState{100'000}.load(std::span(saved).first(size))) << size;
}

TEST_F(StateTests, ops_of_another_join_change_nothing) {
    const auto digest = state.digest();
    state.apply({1, 7}, Ops{6, 2, 0x10, {{OpKind::mark, 90, 1}}}, changes);
    EXPECT_EQ(state.digest(), digest);
}

TEST_F(StateTests, ops_behind_a_gap_change_nothing_until_it_is_filled) {
    const auto digest = state.digest();
    state.apply({1, 7}, Ops{5, 3, 0x10, {{OpKind::mark, 90, 1}}}, changes);
    EXPECT_EQ(state.digest(), digest);
    state.apply({1, 7}, Ops{5, 2, 0x10, {{OpKind::mark, 80, 1}, {OpKind::mark, 90, 1}}}, changes);
    EXPECT_TRUE(state.marks().marked(90));
}

struct Transfer : StateTests {
    StateSender sender{9};
    StateReceiver receiver{{1, 7}, 9, 1 << 24};
    Effects effects;
    std::size_t next = 0;
    StateReceiver::Taken taken = StateReceiver::Taken::more;

    void start() {
        state.freeze();
        sender.start(state, effects);
    }
    StateChunk next_chunk() { return std::get<StateChunk>(std::get<SendEffect>(effects.at(next++)).message); }
    void deliver(const StateChunk& chunk) {
        taken = receiver.take(chunk);
        sender.delivered(chunk, state, effects);
    }
    /// Regions in and out of sync as chance has it: they do not compress.
    void scatter() {
        std::vector<std::uint32_t> words((state.region_count() + 31) / 32);
        std::uint64_t random = 1;
        for (std::uint32_t& word : words) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            word = static_cast<std::uint32_t>(random >> 32U);
        }
        state.start_from(words, state.region_count(), false);
    }
};

TEST_F(Transfer, state_travels_in_chunks) {
    start();
    while (!sender.done())
        deliver(next_chunk());
    EXPECT_EQ(taken, StateReceiver::Taken::complete);
    EXPECT_EQ(next, effects.size());
    EXPECT_EQ(receiver.state(), state.save());
}

TEST_F(Transfer, what_is_applied_meanwhile_does_not_travel) {
    state = LogState{1'000'000};
    state.start(true);
    state.joined({1, 7});
    state.hello({1, 7}, Hello{5, {}, 0x10, 1024, 1'000'000, false, {}}, changes);
    state.became_valid({1, 7});
    const auto before = state.save();
    start();
    std::uint64_t seq = 0;
    while (!sender.done()) {
        for (const RegionNumber region : {seq * 7, 999'999 - seq * 7}) {
            state.apply({1, 7}, Ops{5, seq, 0x10, {{OpKind::mark, region, 3}, {OpKind::failed, region + 1, 1}}},
                        changes);
            seq += 2;
        }
        deliver(next_chunk());
    }
    EXPECT_EQ(receiver.state(), before);
    EXPECT_NE(state.save(), before);
    state.thaw();
    LogState copy{1'000'000};
    EXPECT_TRUE(copy.load(state.save()));
}

TEST_F(Transfer, state_that_compresses_well_needs_few_chunks) {
    state = LogState{8'000'000};
    state.start(true);
    start();
    EXPECT_EQ(effects.size(), StateSender::chunks_ahead);
    while (!sender.done())
        deliver(next_chunk());
    EXPECT_EQ(receiver.state(), state.save());
    EXPECT_LE(next, 20U);
}

// What others write meanwhile waits behind it.
TEST_F(Transfer, state_that_does_not_compress_travels_a_chunk_at_a_time) {
    state = LogState{4'000'000};
    scatter();
    start();
    while (!sender.done()) {
        const StateChunk chunk = next_chunk();
        if (chunk.compressed.size() >= StateSender::bytes_ahead) {
            EXPECT_EQ(next, effects.size());
        }
        deliver(chunk);
    }
    EXPECT_EQ(taken, StateReceiver::Taken::complete);
    EXPECT_EQ(receiver.state(), state.save());
}

TEST_F(Transfer, lost_chunk_is_sent_again_with_all_behind_it) {
    state = LogState{8'000'000};
    scatter();
    start();
    for (int turn = 0; !sender.done(); ++turn) {
        ASSERT_LT(turn, 1000);
        const StateChunk chunk = next_chunk();
        // Each fifth is lost; without news it is sent again.
        if (turn % 5 != 4) deliver(chunk);
        if (next == effects.size() && !sender.done()) sender.send_again(state, effects);
    }
    EXPECT_EQ(receiver.state(), state.save());
}

TEST_F(StateTests, chunk_out_of_turn_is_left_out_as_it_comes_again) {
    StateReceiver receiver{{1, 7}, 9, 1 << 20};
    EXPECT_EQ(receiver.take({9, 1, 3, {std::byte{0}}}), StateReceiver::Taken::more);
    EXPECT_EQ(receiver.take({9, 0, 3, {std::byte{0}}}), StateReceiver::Taken::broken);
    EXPECT_EQ(receiver.take({9, 3, 3, {std::byte{0}}}), StateReceiver::Taken::broken);
}

}  // namespace
}  // namespace cmirror::mirror_log
