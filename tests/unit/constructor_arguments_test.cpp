// The constructor's string.
#include "actors/mirror_log/constructor_arguments.hpp"

#include <gtest/gtest.h>

namespace cmirror::mirror_log {
namespace {

using Fault = ConstructorFault;
using Sync = ConstructorArguments::Sync;

ConstructorArguments good(std::string_view text) {
    const auto parsed = parse_constructor_arguments(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? *parsed : ConstructorArguments{};
}
Fault fault(std::string_view text) {
    const auto parsed = parse_constructor_arguments(text);
    EXPECT_FALSE(parsed) << text;
    return parsed ? Fault{} : parsed.error();
}

TEST(ConstructorArgumentsTests, core_log_has_no_device) {
    const auto arguments = good("71680 clustered-core 1024");
    EXPECT_FALSE(arguments.disk_log);
    EXPECT_EQ(arguments.device, "");
    EXPECT_EQ(arguments.region_count, 70U);
}

TEST(ConstructorArgumentsTests, disk_log_names_its_device) {
    const auto arguments = good("71680 clustered-disk 253:4 1024 nosync block_on_error");
    EXPECT_TRUE(arguments.disk_log);
    EXPECT_EQ(arguments.device, "253:4");
    EXPECT_EQ(arguments.sync, Sync::nosync);
    EXPECT_TRUE(arguments.block_on_error);
}

TEST(ConstructorArgumentsTests, part_of_a_region_at_the_end_is_a_region) {
    EXPECT_EQ(good("71681 clustered-core 1024").region_count, 71U);
}

TEST(ConstructorArgumentsTests, mirror_smaller_than_a_region_has_one) {
    EXPECT_EQ(good("8 clustered-core 1024").region_count, 1U);
}

TEST(ConstructorArgumentsTests, options_come_in_any_order) {
    EXPECT_EQ(good("8 clustered-core 1024 block_on_error sync").sync, Sync::sync);
}

TEST(ConstructorArgumentsTests, what_makes_no_sense_is_named) {
    EXPECT_EQ(fault(""), Fault::too_few_arguments);
    EXPECT_EQ(fault("71680 clustered-core"), Fault::too_few_arguments);
    EXPECT_EQ(fault("71680 clustered-disk 1024"), Fault::too_few_arguments);
    EXPECT_EQ(fault("many clustered-core 1024"), Fault::bad_device_size);
    EXPECT_EQ(fault("0 clustered-core 1024"), Fault::bad_device_size);
    EXPECT_EQ(fault("-8 clustered-core 1024"), Fault::bad_device_size);
    EXPECT_EQ(fault("18446744073709551616 clustered-core 1024"), Fault::bad_device_size);
    EXPECT_EQ(fault("71680 core 1024"), Fault::unknown_log_type);
    EXPECT_EQ(fault("71680 clustered-core 1000"), Fault::bad_region_size);
    EXPECT_EQ(fault("71680 clustered-core 0"), Fault::bad_region_size);
    EXPECT_EQ(fault("71680 clustered-core 1024k"), Fault::bad_region_size);
    EXPECT_EQ(fault("71680 clustered-core 1024 fast"), Fault::unknown_option);
    EXPECT_EQ(fault("71680 clustered-core 1024 sync nosync"), Fault::repeated_option);
    EXPECT_EQ(fault("18446744073709551615 clustered-core 8"), Fault::too_many_regions);
    EXPECT_EQ(fault("71680 clustered-disk /" + std::string(200, 'd') + " 1024"), Fault::bad_device_name);
}

TEST(ConstructorArgumentsTests, largest_size_does_not_overflow) {
    EXPECT_EQ(good("18446744073709551615 clustered-core 9223372036854775808").region_count, 2U);
}

}  // namespace
}  // namespace cmirror::mirror_log
