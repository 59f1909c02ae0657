// Marks and their owners.
#include "actors/mirror_log/mark_table.hpp"

#include <gtest/gtest.h>

namespace cmirror::mirror_log {
namespace {

constexpr Owner ann{1, 0x10};
constexpr Owner bob{2, 0x10};

struct MarkTableTests : ::testing::Test {
    MarkTable marks;
};

TEST_F(MarkTableTests, mark_belongs_to_node_and_luid) {
    marks.add(ann, 5);
    EXPECT_TRUE(marks.marked_by(ann, 5));
    EXPECT_FALSE(marks.marked_by({1, 0x20}, 5));
    EXPECT_FALSE(marks.marked_by(bob, 5));
}

TEST_F(MarkTableTests, marking_twice_is_one_mark) {
    EXPECT_TRUE(marks.add(ann, 5));
    EXPECT_FALSE(marks.add(ann, 5));
    EXPECT_TRUE(marks.remove(ann, 5));
    EXPECT_FALSE(marks.marked(5));
}

TEST_F(MarkTableTests, region_stays_marked_until_its_last_owner_clears_it) {
    marks.add(ann, 5);
    marks.add(bob, 5);
    marks.remove(ann, 5);
    EXPECT_TRUE(marks.marked(5));
    EXPECT_TRUE(marks.marked_by_other(ann, 5));
    EXPECT_FALSE(marks.marked_by_other(bob, 5));
}

TEST_F(MarkTableTests, clearing_what_another_marked_changes_nothing) {
    marks.add(ann, 5);
    EXPECT_FALSE(marks.remove(bob, 5));
    EXPECT_TRUE(marks.marked_by(ann, 5));
}

TEST_F(MarkTableTests, owner_with_unknown_marks_has_every_region) {
    marks.add_everything(ann);
    EXPECT_TRUE(marks.marked(123));
    EXPECT_TRUE(marks.marked_by_other(bob, 123));
    EXPECT_FALSE(marks.marked_by_other(ann, 123));
}

TEST_F(MarkTableTests, all_marks_of_an_owner_go_at_once) {
    marks.add(ann, 9);
    marks.add(ann, 5);
    marks.add(bob, 5);
    marks.add_everything(ann);
    EXPECT_EQ(marks.remove_all(ann), (std::vector<RegionNumber>{5, 9}));
    EXPECT_EQ(marks.owners(), std::vector<Owner>{bob});
    EXPECT_EQ(marks.count(), 1U);
}

}  // namespace
}  // namespace cmirror::mirror_log
