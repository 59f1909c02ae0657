// Streams of writes are found, and their next regions are marked before the kernel asks for it.
#include <gtest/gtest.h>

#include "actors/mirror_log/sequential_writes.hpp"
#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;
using Stretch = SequentialWrites::Run;

constexpr auto long_log = "4096000 clustered-core 1024";
constexpr auto long_log_in_sync = "4096000 clustered-core 1024 nosync";

TEST(SequentialWritesTests, third_region_in_order_makes_a_stream) {
    SequentialWrites writes{128};
    EXPECT_FALSE(writes.marked(10));
    EXPECT_FALSE(writes.marked(11));
    EXPECT_EQ(writes.marked(12), (Stretch{13, 8}));
}

TEST(SequentialWritesTests, regions_ahead_are_asked_for_once_and_again_when_half_are_reached) {
    SequentialWrites writes{8};
    for (RegionNumber region = 0; region < 2; ++region)
        EXPECT_FALSE(writes.marked(region));
    EXPECT_EQ(writes.marked(2), (Stretch{3, 8}));
    for (RegionNumber region = 3; region < 6; ++region)
        EXPECT_FALSE(writes.marked(region));
    EXPECT_EQ(writes.marked(6), (Stretch{11, 4}));
}

TEST(SequentialWritesTests, window_grows_to_its_bound) {
    SequentialWrites writes{128};
    std::uint64_t asked = 0, ahead_max = 0;
    for (RegionNumber region = 0; region < 1000; ++region) {
        if (const auto run = writes.marked(region)) asked += run->count;
        if (asked > 0) ahead_max = std::max(ahead_max, asked + 3 - region - 1);
    }
    EXPECT_EQ(ahead_max, 128U);
}

TEST(SequentialWritesTests, region_written_again_and_again_is_no_stream) {
    SequentialWrites writes{128};
    for (int i = 0; i < 10; ++i)
        EXPECT_FALSE(writes.marked(7));
}

TEST(SequentialWritesTests, region_written_several_times_on_the_way_does_not_end_its_stream) {
    SequentialWrites writes{128};
    for (const RegionNumber region : {1U, 1U, 2U, 2U, 2U})
        EXPECT_FALSE(writes.marked(region));
    EXPECT_TRUE(writes.marked(3));
}

TEST(SequentialWritesTests, streams_side_by_side_are_told_apart) {
    SequentialWrites writes{128};
    for (RegionNumber i = 0; i < 2; ++i)
        for (RegionNumber stream = 0; stream < SequentialWrites::streams_max; ++stream)
            EXPECT_FALSE(writes.marked(stream * 1000 + i));
    for (RegionNumber stream = 0; stream < SequentialWrites::streams_max; ++stream)
        EXPECT_EQ(writes.marked(stream * 1000 + 2), (Stretch{stream * 1000 + 3, 8}));
}

TEST(SequentialWritesTests, scattered_writes_make_no_stream) {
    SequentialWrites writes{128};
    for (RegionNumber i = 0; i < 1000; ++i)
        EXPECT_FALSE(writes.marked(i * 7919 % 4001));
}

TEST(SequentialWritesTests, without_a_window_nothing_is_asked_for) {
    SequentialWrites writes{0};
    for (RegionNumber region = 0; region < 100; ++region)
        EXPECT_FALSE(writes.marked(region));
}

struct MarksAhead : Group {
    MarksAhead() { use(long_log); }

    void start_in_sync() {
        use(long_log_in_sync);
        start({1, 2, 3});
        cluster->advance(1s);
        ASSERT_TRUE(state(1).sync().all());
    }
    void write(NodeId id, RegionNumber region) { ASSERT_EQ(error(id, R::flush, list({region})), 0); }
    bool clean(NodeId id, RegionNumber region) { return state(id).clean().test(region); }
};

TEST_F(MarksAhead, stream_of_writes_waits_for_few_rounds) {
    start_in_sync();
    constexpr RegionNumber regions = 1000;
    const auto rounds = node(2).core->status().rounds;
    for (RegionNumber region = 0; region < regions; ++region) {
        write(2, region);
        call(2, R::clear_region, list({region}));
    }
    EXPECT_LE(node(2).core->status().rounds - rounds, regions / 10);
    expect_equal({1, 2, 3});
}

TEST_F(MarksAhead, every_member_knows_of_a_mark_before_its_flush_is_answered) {
    start_in_sync();
    for (RegionNumber region = 0; region < 500; ++region) {
        write(2, region);
        for (const NodeId id : {1U, 2U, 3U})
            EXPECT_FALSE(clean(id, region)) << region << " on node " << id;
    }
}

TEST_F(MarksAhead, flush_waits_for_marks_ahead_only_when_the_kernel_has_made_them) {
    start_in_sync();
    RegionNumber region = 0;
    for (; region < 3; ++region)
        write(2, region);
    const auto ahead = node(2).core->status().marked_ahead;
    for (; node(2).core->status().marked_ahead == ahead; ++region)
        cluster->ask(2, R::mark_region, list({region}));
    const auto flush = cluster->ask(2, R::flush);
    EXPECT_TRUE(answered(2, flush));
    const RegionNumber last = 2 + node(2).core->status().marked_ahead;
    const auto flush_of_last = cluster->ask(2, R::flush, list({last}));
    EXPECT_FALSE(answered(2, flush_of_last));
    EXPECT_TRUE(clean(1, last));
    cluster->settle();
    EXPECT_TRUE(answered(2, flush_of_last));
    EXPECT_FALSE(clean(1, last));
}

TEST_F(MarksAhead, unused_ones_are_cleared_when_idle) {
    start_in_sync();
    for (RegionNumber region = 0; region < 3; ++region)
        write(2, region);
    EXPECT_FALSE(clean(1, 5));
    cluster->advance(10s);
    EXPECT_FALSE(clean(1, 2));
    for (RegionNumber region = 3; region < 100; ++region)
        EXPECT_TRUE(clean(1, region)) << region;
}

TEST_F(MarksAhead, none_behind_the_end_of_the_log) {
    start_in_sync();
    for (RegionNumber region = 3990; region < 4000; ++region)
        write(2, region);
    expect_equal({1, 2, 3});
    EXPECT_EQ(node(2).core->status().bad_requests, 0U);
}

TEST_F(MarksAhead, regions_out_of_sync_are_not_marked_ahead) {
    start({1, 2, 3});
    for (RegionNumber region = 0; region < 3; ++region)
        call(2, R::mark_region, list({region}));
    EXPECT_EQ(node(2).core->status().marked_ahead, 0U);
}

TEST_F(MarksAhead, dead_writers_marks_ahead_are_out_of_sync_like_others) {
    start_in_sync();
    for (RegionNumber region = 0; region < 3; ++region)
        write(2, region);
    cluster->crash(2);
    cluster->settle();
    EXPECT_EQ(integer(1, R::get_sync_count), 4000U - 3 - 8);
    cluster->prove_gone(1, 2);
    cluster->settle();
    EXPECT_FALSE(state(1).sync().test(10));
    EXPECT_TRUE(state(1).sync().test(11));
}

}  // namespace
}  // namespace cmirror::mirror_log
