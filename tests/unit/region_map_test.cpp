// The bit map of regions.
#include "actors/mirror_log/region_map.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>
#include <span>

namespace cmirror::mirror_log {
namespace {

TEST(RegionMapTests, new_map_is_clear) {
    const RegionMap map{70};
    EXPECT_EQ(map.count(), 0U);
    EXPECT_EQ(map.next_clear(0), 0U);
}

TEST(RegionMapTests, map_made_full_has_no_clear_bit) {
    const RegionMap map{70, true};
    EXPECT_TRUE(map.all());
    EXPECT_EQ(map.next_clear(0), 70U);
}

TEST(RegionMapTests, setting_twice_counts_once) {
    RegionMap map{70};
    EXPECT_TRUE(map.set(5));
    EXPECT_FALSE(map.set(5));
    EXPECT_EQ(map.count(), 1U);
}

TEST(RegionMapTests, words_past_the_end_are_0) {
    const RegionMap map{70, true};
    EXPECT_EQ(map.word32(2), 0x3FU);
}

TEST(RegionMapTests, words_of_a_device_come_back) {
    RegionMap map{70};
    map.assign_words32(std::vector<std::uint32_t>{0x7, 0, 0x20});
    EXPECT_EQ(map.count(), 4U);
    EXPECT_TRUE(map.test(69));
    EXPECT_EQ(map.word32(0), 0x7U);
}

TEST(RegionMapTests, last_clear_bit_of_forty_million_is_found) {
    RegionMap map{40'000'000, true};
    map.reset(39'999'999);
    EXPECT_EQ(map.next_clear(0), 39'999'999U);
    map.reset(1'000'001);
    EXPECT_EQ(map.next_clear(0), 1'000'001U);
    EXPECT_EQ(map.next_clear(1'000'002), 39'999'999U);
}

TEST(RegionMapDeathTests, region_past_the_end_ends_the_process) {
    const RegionMap map{70};
    EXPECT_DEATH((void)map.test(70), "invariant broken");
}

RC_GTEST_PROP(RegionMapProperties, behaves_like_a_set, ()) {
    const auto size = *rc::gen::inRange<std::uint64_t>(1, 10'000);
    RegionMap map{size};
    std::set<RegionNumber> clear;
    for (RegionNumber region = 0; region < size; ++region)
        clear.insert(region);
    const auto steps = *rc::gen::container<std::vector<std::pair<std::uint64_t, bool>>>(
        rc::gen::pair(rc::gen::inRange<std::uint64_t>(0, size), rc::gen::arbitrary<bool>()));
    for (const auto& [region, value] : steps) {
        if (value) {
            RC_ASSERT(map.set(region) == (clear.erase(region) > 0));
        } else {
            RC_ASSERT(map.reset(region) == clear.insert(region).second);
        }
        RC_ASSERT(map.count() == size - clear.size());
    }
    for (const auto& [from, value] : steps) {
        const auto next = clear.lower_bound(from);
        RC_ASSERT(map.next_clear(from) == (next == clear.end() ? size : *next));
    }
    const auto is_equal = [&](const RegionMap& other) {
        RC_ASSERT(other.count() == map.count());
        for (RegionNumber from = 0; from < size; from = map.next_clear(from) + 1)
            RC_ASSERT(other.next_clear(from) == map.next_clear(from));
        RC_ASSERT(std::ranges::equal(other.raw(), map.raw()));
    };
    RegionMap copy{size};
    copy.assign_raw(map.raw());
    is_equal(copy);
    copy.fill(true);
    RC_ASSERT(copy.all() && copy.next_clear(0) == size);
    copy.fill(false);
    RC_ASSERT(copy.count() == 0 && copy.next_clear(size - 1) == size - 1);
    copy.assign_bytes(std::as_bytes(map.raw()));
    is_equal(copy);
}

RC_GTEST_PROP(RegionMapProperties, is_what_it_differs_from_another_by, ()) {
    const auto size = *rc::gen::inRange<std::uint64_t>(1, 10'000);
    const auto some = rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, size));
    RegionMap one{size};
    RegionMap other{size, true};
    for (const RegionNumber region : *some)
        one.set(region);
    for (const RegionNumber region : *some)
        other.reset(region);
    std::vector<std::uint64_t> difference(one.raw().begin(), one.raw().end());
    for (std::size_t i = 0; i < difference.size(); ++i)
        difference[i] ^= other.raw()[i];
    RegionMap again{size};
    again.assign_bytes(std::as_bytes(std::span{difference}), &other);
    RC_ASSERT(again.count() == one.count());
    RC_ASSERT(std::ranges::equal(again.raw(), one.raw()));
}

}  // namespace
}  // namespace cmirror::mirror_log
