// /etc/cmirrortab: its lines, and that what is not touched stays.
#include "main/ctl/cmirrortab.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace cmirror::ctl {
namespace {

const TabEntry example{.name = "data",
                       .legs = {"/dev/sda", "/dev/sdb"},
                       .log_device = "/dev/sdc",
                       .sectors = 131072,
                       .region_sectors = 1024,
                       .log_uuid = "CMIRROR-data",
                       .block_on_error = true,
                       .noauto = true};
constexpr auto example_line =
    "data /dev/sda,/dev/sdb /dev/sdc size=64M,region-size=512K,uuid=CMIRROR-data,block-on-error,noauto";

TEST(Sizes, are_read_and_written) {
    EXPECT_EQ(sectors_in("1s"), 1U);
    EXPECT_EQ(sectors_in("512K"), 1024U);
    EXPECT_EQ(sectors_in("64M"), 131072U);
    EXPECT_EQ(sectors_in("2T"), 1ULL << 32U);
    for (const std::uint64_t sectors : {1ULL, 3ULL, 1024ULL, 131072ULL, 1ULL << 32U, (1ULL << 31U) + 1})
        EXPECT_EQ(sectors_in(size_text(sectors)), sectors);
}

TEST(Sizes, what_is_none_is_refused) {
    for (const auto* bad : {"", "5", "K", "0M", "-1M", "1.5G", "1 M", "1MB", "999999999999999999T", "1k"})
        EXPECT_FALSE(sectors_in(bad)) << bad;
}

TEST(TabLine, survives) {
    EXPECT_EQ(tab_line(example), example_line);
    EXPECT_EQ(parse_tab_line(example_line).value(), example);
}

TEST(TabLine, short_one_has_defaults) {
    const auto entry = parse_tab_line("x  /dev/a,/dev/b\tnone  size=1M,region-size=4K").value();
    EXPECT_EQ(entry.log_uuid, "CMIRROR-x");
    EXPECT_EQ(entry.log_device, "");
    EXPECT_FALSE(entry.noauto || entry.block_on_error);
}

TEST(TabLine, what_makes_no_sense_is_refused) {
    for (const auto* bad :
         {"x", "x /dev/a,/dev/b none", "x /dev/a none size=1M,region-size=4K",
          "x /dev/a,/dev/b none size=1M,region-size=4K more", "x/y /dev/a,/dev/b none size=1M,region-size=4K",
          "-x /dev/a,/dev/b none size=1M,region-size=4K", "x a,b none size=1M,region-size=4K",
          "x /dev/a,/dev/b none size=1M", "x /dev/a,/dev/b none region-size=4K",
          "x /dev/a,/dev/b none size=1M,region-size=5K", "x /dev/a,/dev/b none size=1M,region-size=2K",
          "x /dev/a,/dev/b none size=1M,region-size=2M", "x /dev/a,/dev/b none size=1M,region-size=4K,nosync",
          "x /dev/a,/dev/b none size=1M,region-size=4K,uuid="})
        EXPECT_FALSE(parse_tab_line(bad)) << bad;
}

TEST(Cmirrortab, keeps_what_is_not_touched) {
    const std::string text =
        "# mine\n\n" + std::string(example_line) + "\n  b   /dev/c,/dev/d  -  region-size=4K,size=1M\n";
    auto tab = Cmirrortab::parse(text).value();
    EXPECT_EQ(tab.entries().size(), 2U);
    EXPECT_EQ(tab.text(), text);
    auto other = example;
    other.log_uuid = "CMIRROR-data.2";
    other.noauto = false;
    tab.put(other);
    EXPECT_EQ(*tab.find("data"), other);
    EXPECT_TRUE(tab.erase("b"));
    EXPECT_FALSE(tab.erase("b"));
    EXPECT_EQ(tab.text(), "# mine\n\n" + tab_line(other) + "\n");
}

TEST(Cmirrortab, error_names_the_line) {
    EXPECT_EQ(Cmirrortab::parse("# a\nnonsense\n").error().find("line 2: "), 0U);
    const std::string twice = std::string(example_line) + "\n" + example_line + "\n";
    EXPECT_EQ(Cmirrortab::parse(twice).error(), "line 2: data is there twice");
}

TEST(Cmirrortab, file_comes_and_goes_as_a_whole) {
    const auto path = std::filesystem::temp_directory_path() / ("cmirrortab_test." + std::to_string(::getpid()));
    std::filesystem::remove(path);
    auto tab = load_tab(path).value();
    EXPECT_TRUE(tab.entries().empty());
    tab.put(example);
    ASSERT_TRUE(save_tab(path, tab));
    EXPECT_EQ(load_tab(path).value().entries(), std::vector<TabEntry>{example});
    EXPECT_EQ(load_tab(path).value().text().find("# Cluster mirrors"), 0U);
    std::ofstream(path) << "bad\n";
    EXPECT_EQ(load_tab(path).error().find(path.string() + ": line 1: "), 0U);
    std::filesystem::remove(path);
    EXPECT_FALSE(save_tab("/nonexistent/folder/tab", tab));
}

TEST(CmirrortabTest, link_in_the_place_of_what_is_written_is_not_followed) {
    const auto path = std::filesystem::path(testing::TempDir()) / "cmirrortab_link_test";
    const auto victim = path.string() + ".victim";
    std::ofstream(victim) << "mine\n";
    for (const char* end : {".new", ""}) {
        std::filesystem::remove(path.string() + end);
        std::filesystem::create_symlink(victim, path.string() + end);
    }
    Cmirrortab tab;
    tab.put(example);
    ASSERT_TRUE(save_tab(path, tab));
    EXPECT_FALSE(std::filesystem::is_symlink(path));
    std::string text;
    std::getline(std::ifstream(victim), text);
    EXPECT_EQ(text, "mine");
    EXPECT_EQ(load_tab(path).value().entries(), std::vector<TabEntry>{example});
    std::filesystem::remove(path);
    std::filesystem::remove(victim);
}

}  // namespace
}  // namespace cmirror::ctl
