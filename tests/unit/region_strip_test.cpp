// All regions of a log on one line.
#include "actors/mirror_log/region_strip.hpp"

#include <gtest/gtest.h>

namespace cmirror::mirror_log {
namespace {

constexpr MemberId member{1, 7};

struct RegionStripTest : testing::Test {
    void start(LogState& state, bool in_sync) {
        state.start(in_sync);
        state.joined(member);
        state.hello(member, Hello{5, {}, 0x10, 1024, state.region_count(), false}, changes);
        state.became_valid(member);
    }
    void apply(LogState& state, std::vector<Op> ops) {
        const auto seq = state.member(member)->next_seq;
        state.apply(member, Ops{5, seq, 0x10, std::move(ops)}, changes);
    }
    StateChanges changes;
};

TEST_F(RegionStripTest, each_region_of_a_small_log_has_its_cell) {
    LogState state{8};
    start(state, true);
    EXPECT_EQ(region_strip(state), "cccccccc");
    apply(state, {{OpKind::mark, 1, 2}, {OpKind::failed, 6, 1}});
    EXPECT_EQ(region_strip(state), "cddcccfc");
}

TEST_F(RegionStripTest, what_was_never_in_sync_is_told_from_what_fell_out) {
    LogState state{4};
    start(state, false);
    EXPECT_EQ(region_strip(state), "oooo");
}

TEST_F(RegionStripTest, handed_out_regions_are_shown_above_all) {
    LogState state{4};
    start(state, false);
    apply(state, {{OpKind::want_work, 0, 1}});
    ASSERT_FALSE(state.grants().empty());
    const auto strip = region_strip(state);
    EXPECT_EQ(strip.find('r'), 0U) << strip;
    EXPECT_EQ(strip.back(), 'o') << strip;
}

TEST_F(RegionStripTest, worst_of_a_stretch_counts_and_no_region_is_lost) {
    for (const std::uint64_t regions : {129ULL, 200ULL, 1000ULL, 100'003ULL}) {
        for (const std::uint64_t bad :
             {std::uint64_t{0}, std::uint64_t{63}, std::uint64_t{64}, regions / 2, regions - 1}) {
            LogState state{regions};
            start(state, true);
            apply(state, {{OpKind::failed, bad, 1}});
            const auto strip = region_strip(state);
            ASSERT_EQ(strip.size(), strip_cells_max);
            EXPECT_EQ(std::count(strip.begin(), strip.end(), 'f'), 1) << regions << " " << bad;
        }
    }
}

}  // namespace
}  // namespace cmirror::mirror_log
