#include "actors/mirror_log/constructor_arguments.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <string>
#include <vector>

namespace cmirror::mirror_log {
namespace {

using Sync = ConstructorArguments::Sync;

ConstructorArguments parsed(std::string_view text) {
    const auto arguments = parse_constructor_arguments(text);
    EXPECT_TRUE(arguments.has_value()) << text;
    return arguments ? *arguments : ConstructorArguments{};
}

ConstructorFault fault_of(std::string_view text) {
    const auto arguments = parse_constructor_arguments(text);
    EXPECT_FALSE(arguments.has_value()) << text;
    return arguments ? ConstructorFault{} : arguments.error();
}

// -- what is understood ----------------------------------------------------------------------------

TEST(ConstructorArguments, core_log_has_no_device) {
    EXPECT_EQ(parsed("71680 clustered-core 1024"), (ConstructorArguments{.device_sectors = 71680,
                                                                         .disk_log = false,
                                                                         .device = {},
                                                                         .region_size_sectors = 1024,
                                                                         .sync = Sync::default_,
                                                                         .block_on_error = false,
                                                                         .region_count = 70}));
}
TEST(ConstructorArguments, disk_log_has_its_device) {
    EXPECT_EQ(parsed("71680 clustered-disk 253:7 1024").device, "253:7");
}
TEST(ConstructorArguments, disk_log_may_be_named_by_path) {
    EXPECT_EQ(parsed("71680 clustered-disk /dev/mapper/vg-log 1024").device, "/dev/mapper/vg-log");
}
TEST(ConstructorArguments, sync_is_understood) {
    EXPECT_EQ(parsed("71680 clustered-core 1024 sync").sync, Sync::sync);
}
TEST(ConstructorArguments, nosync_is_understood) {
    EXPECT_EQ(parsed("71680 clustered-core 1024 nosync").sync, Sync::nosync);
}
TEST(ConstructorArguments, block_on_error_is_understood) {
    EXPECT_TRUE(parsed("71680 clustered-disk 7:0 1024 block_on_error").block_on_error);
}
TEST(ConstructorArguments, options_come_in_any_order) {
    EXPECT_EQ(parsed("71680 clustered-core 1024 block_on_error nosync"),
              parsed("71680 clustered-core 1024 nosync block_on_error"));
}
TEST(ConstructorArguments, spaces_may_be_many) {
    EXPECT_EQ(parsed("  71680   clustered-core\t1024  "), parsed("71680 clustered-core 1024"));
}

// -- regions ---------------------------------------------------------------------------------------

TEST(ConstructorArguments, last_region_may_be_short) {
    EXPECT_EQ(parsed("71681 clustered-core 1024").region_count, 71U);
}
TEST(ConstructorArguments, region_larger_than_the_device_is_the_only_one) {
    EXPECT_EQ(parsed("1000 clustered-core 1024").region_count, 1U);
}
TEST(ConstructorArguments, largest_device_is_counted_without_overflow) {
    EXPECT_EQ(fault_of("18446744073709551615 clustered-core 2147483648"), ConstructorFault::too_many_regions);
}
TEST(ConstructorArguments, region_size_of_no_power_of_two_is_refused) {
    EXPECT_EQ(fault_of("71680 clustered-core 1000"), ConstructorFault::bad_region_size);
}
TEST(ConstructorArguments, region_size_0_is_refused) {
    EXPECT_EQ(fault_of("71680 clustered-core 0"), ConstructorFault::bad_region_size);
}
TEST(ConstructorArguments, region_size_that_is_no_number_is_refused) {
    EXPECT_EQ(fault_of("71680 clustered-core 1024k"), ConstructorFault::bad_region_size);
}
TEST(ConstructorArguments, largest_region_size_is_taken) {
    EXPECT_EQ(parsed("71680 clustered-core 2147483648").region_size_sectors, region_size_max);
}
TEST(ConstructorArguments, region_size_that_the_kernel_would_cut_to_0_is_refused) {
    EXPECT_EQ(fault_of("71680 clustered-core 4294967296"), ConstructorFault::bad_region_size);
}
TEST(ConstructorArguments, as_many_regions_as_allowed_are_taken) {
    EXPECT_EQ(parsed("1073741824 clustered-core 1").region_count, region_count_max);
}
TEST(ConstructorArguments, one_region_more_than_allowed_is_refused) {
    EXPECT_EQ(fault_of("1073741825 clustered-core 1"), ConstructorFault::too_many_regions);
}

// -- what is not -----------------------------------------------------------------------------------

TEST(ConstructorArguments, empty_text_has_too_few_arguments) {
    EXPECT_EQ(fault_of(""), ConstructorFault::too_few_arguments);
}
TEST(ConstructorArguments, core_log_without_region_size_has_too_few_arguments) {
    EXPECT_EQ(fault_of("71680 clustered-core"), ConstructorFault::too_few_arguments);
}
TEST(ConstructorArguments, disk_log_without_region_size_has_too_few_arguments) {
    EXPECT_EQ(fault_of("71680 clustered-disk 7:0"), ConstructorFault::too_few_arguments);
}
TEST(ConstructorArguments, device_of_no_sectors_is_refused) {
    EXPECT_EQ(fault_of("0 clustered-core 1024"), ConstructorFault::bad_device_size);
}
TEST(ConstructorArguments, device_size_that_is_no_number_is_refused) {
    EXPECT_EQ(fault_of("many clustered-core 1024"), ConstructorFault::bad_device_size);
}
TEST(ConstructorArguments, negative_device_size_is_refused) {
    EXPECT_EQ(fault_of("-1 clustered-core 1024"), ConstructorFault::bad_device_size);
}
TEST(ConstructorArguments, device_size_past_64_bits_is_refused) {
    EXPECT_EQ(fault_of("18446744073709551616 clustered-core 1024"), ConstructorFault::bad_device_size);
}
TEST(ConstructorArguments, other_log_type_is_refused) {
    EXPECT_EQ(fault_of("71680 core 1024"), ConstructorFault::unknown_log_type);
}
TEST(ConstructorArguments, device_name_of_127_characters_is_taken) {
    EXPECT_EQ(parsed("71680 clustered-disk " + std::string(127, 'd') + " 1024").device.size(), device_name_max);
}
TEST(ConstructorArguments, device_name_of_128_characters_is_refused) {
    EXPECT_EQ(fault_of("71680 clustered-disk " + std::string(128, 'd') + " 1024"), ConstructorFault::bad_device_name);
}
TEST(ConstructorArguments, other_option_is_refused) {
    EXPECT_EQ(fault_of("71680 clustered-core 1024 handle_errors"), ConstructorFault::unknown_option);
}
TEST(ConstructorArguments, option_given_twice_is_refused) {
    EXPECT_EQ(fault_of("71680 clustered-core 1024 nosync nosync"), ConstructorFault::repeated_option);
}
TEST(ConstructorArguments, both_sync_and_nosync_are_refused) {
    EXPECT_EQ(fault_of("71680 clustered-core 1024 sync nosync"), ConstructorFault::repeated_option);
}
TEST(ConstructorArguments, block_on_error_given_twice_is_refused) {
    EXPECT_EQ(fault_of("71680 clustered-core 1024 block_on_error block_on_error"), ConstructorFault::repeated_option);
}
TEST(ConstructorArguments, every_fault_is_described) {
    for (int fault = 0; fault <= static_cast<int>(ConstructorFault::repeated_option); ++fault)
        EXPECT_NE(describe(static_cast<ConstructorFault>(fault)), "unknown fault");
}

// -- any text --------------------------------------------------------------------------------------

RC_GTEST_PROP(ConstructorArgumentsProperty, any_words_are_read_within_bounds, ()) {
    const auto word =
        rc::gen::oneOf(rc::gen::element<std::string>("clustered-core", "clustered-disk", "1024", "1", "0", "7:0",
                                                     "sync", "nosync", "block_on_error", "18446744073709551615"),
                       rc::gen::arbitrary<std::string>());
    std::string text;
    for (const auto& next : *rc::gen::container<std::vector<std::string>>(word))
        text += next + ' ';
    const auto arguments = parse_constructor_arguments(text);
    if (!arguments) return;
    RC_ASSERT(arguments->region_count >= 1 && arguments->region_count <= region_count_max);
    RC_ASSERT(std::has_single_bit(arguments->region_size_sectors) && arguments->region_size_sectors <= region_size_max);
    RC_ASSERT(arguments->disk_log != arguments->device.empty());
    RC_ASSERT(arguments->device.size() <= device_name_max);
}

RC_GTEST_PROP(ConstructorArgumentsProperty, regions_cover_the_device, (std::uint32_t sectors)) {
    RC_PRE(sectors > 0);
    const auto size = std::uint64_t{1} << *rc::gen::inRange<std::uint64_t>(3, 32);
    const auto arguments = parsed(std::to_string(sectors) + " clustered-core " + std::to_string(size));
    RC_ASSERT(arguments.region_count * size >= sectors);
    RC_ASSERT((arguments.region_count - 1) * size < sectors);
}

}  // namespace
}  // namespace cmirror::mirror_log
