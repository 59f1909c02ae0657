#include <gtest/gtest.h>

#include <vector>

#include "main/options.hpp"

namespace cmirror {
namespace {

Result<Options, std::string> parse(std::vector<const char*> arguments) {
    return parse_options(arguments);
}

TEST(OptionsTest, none_means_background_and_the_real_kernel) {
    EXPECT_EQ(parse({}).value(), Options{});
}

TEST(OptionsTest, foreground_and_help_have_two_spellings) {
    EXPECT_TRUE(parse({"-f"}).value().foreground);
    EXPECT_TRUE(parse({"--foreground"}).value().foreground);
    EXPECT_TRUE(parse({"-h"}).value().help);
    EXPECT_TRUE(parse({"--help"}).value().help);
}

TEST(OptionsTest, kernel_names_the_stand_in) {
    EXPECT_EQ(parse({"--kernel", "unix:/tmp/k"}).value().kernel_stand_in, "/tmp/k");
    EXPECT_EQ(parse({"-f", "--kernel=unix:/tmp/k"}).value().kernel_stand_in, "/tmp/k");
}

TEST(OptionsTest, a_wrong_kernel_is_an_error) {
    EXPECT_FALSE(parse({"--kernel"}));
    EXPECT_FALSE(parse({"--kernel", "unix:"}));
    EXPECT_FALSE(parse({"--kernel", "/tmp/k"}));
}

TEST(OptionsTest, fenced_after_takes_seconds) {
    EXPECT_EQ(parse({}).value().fenced_after.count(), 0);
    EXPECT_EQ(parse({"--fenced-after", "90"}).value().fenced_after.count(), 90);
    EXPECT_EQ(parse({"--fenced-after=1"}).value().fenced_after.count(), 1);
    for (const auto* bad : {"0", "-1", "1s", "", "99999999999999999999", "31536001"})
        EXPECT_FALSE(parse({"--fenced-after", bad})) << bad;
    EXPECT_FALSE(parse({"--fenced-after"}));
}

TEST(OptionsTest, unknown_options_and_arguments_are_errors) {
    EXPECT_EQ(parse({"-x"}).error(), "unknown option \"-x\"");
    EXPECT_FALSE(parse({"--fore"}));
    EXPECT_FALSE(parse({"file"}));
}

TEST(OptionsTest, usage_names_every_option) {
    for (const auto* option : {"-f", "--foreground", "-h", "--help", "--kernel", "--fenced-after"})
        EXPECT_NE(usage().find(option), std::string_view::npos) << option;
}

}  // namespace
}  // namespace cmirror
