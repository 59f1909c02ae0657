// The kernel's table of a cluster mirror.
#include "main/ctl/mirror_table.hpp"

#include <gtest/gtest.h>

namespace cmirror::ctl {
namespace {

TEST(MirrorTable, core_log) {
    const MirrorTable table{.log_uuid = "CMIRROR-x", .region_sectors = 1024, .legs = {"/dev/sda", "/dev/sdb"}};
    EXPECT_EQ(table_text(table), "userspace 3 CMIRROR-x clustered-core 1024 2 /dev/sda 0 /dev/sdb 0 1 handle_errors");
    EXPECT_EQ(parse_table(table_text(table)), table);
}

TEST(MirrorTable, disk_log_with_options) {
    const MirrorTable table{.log_uuid = "u",
                            .log_device = "8:32",
                            .region_sectors = 2048,
                            .options = {"nosync", "block_on_error"},
                            .legs = {"8:0", "8:16", "8:48"},
                            .handle_errors = false};
    EXPECT_EQ(table_text(table), "userspace 6 u clustered-disk 8:32 2048 nosync block_on_error 3 8:0 0 8:16 0 8:48 0");
    EXPECT_EQ(parse_table(table_text(table)), table);
}

TEST(MirrorTable, other_tables_are_not_taken_for_ours) {
    for (const auto* other : {"", "core 1 1024 2 8:0 0 8:16 0", "userspace", "userspace 3 u clustered-core",
                              "userspace x u clustered-core 8 1 8:0 0", "userspace 2 u clustered-core 8 1 8:0 0",
                              "userspace 3 u clustered-core 8 2 8:0 0", "userspace 3 u linear 8 1 8:0 0",
                              "userspace 99999999999 u clustered-core 8 1 8:0 0"})
        EXPECT_FALSE(parse_table(other)) << other;
}

TEST(LegLetters, one_a_leg) {
    EXPECT_EQ(leg_letters("2 254:0 254:16 62/64 1 DA 3 clustered-disk 254:32 A"), "DA");
    EXPECT_EQ(leg_letters("3 8:0 8:16 8:32 64/64 1 AAR 1 clustered-core"), "AAR");
}

TEST(LegLetters, line_that_makes_no_sense_has_none) {
    for (const auto* bad : {"", "2", "0 1/1 1 A", "2 8:0 8:16 64/64 1", "2 8:0 8:16 64/64 2 AA",
                            "2 8:0 8:16 64/64 1 A 1 x", "x 8:0 8:16 64/64 1 AA", "99999 8:0"})
        EXPECT_EQ(leg_letters(bad), "") << bad;
}

}  // namespace
}  // namespace cmirror::ctl
