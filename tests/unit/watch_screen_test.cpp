// What `cmirrorctl watch` and `cmirrorctl check` show, to the letter.
#include "main/ctl/watch_screen.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "main/ctl/check_screen.hpp"
#include "tests/unit/status_example.hpp"

namespace cmirror::ctl {
namespace {

const LocalMirrors mirrors{{"CMIRROR-data", {"data"}}};

/// Behind what `status` shows.
std::string below_status(const std::string& text) {
    return text.substr(text.rfind("\n\ndata\n") + 2);
}

TEST(WatchScreen, bar_map_and_legend) {
    EXPECT_EQ(below_status(watch_screen(test::snapshot_example(), mirrors, {.width = 30})),
              "data\n"
              "  [##########..........] 50.0%\n"
              "  ..ddRR----F\n"
              "\n"
              ". clean  d dirty  - out of sync  R recovering  F failed\n");
}

TEST(WatchScreen, map_that_is_too_long_shows_the_worst_of_each_stretch) {
    auto snapshot = test::snapshot_example();
    std::get<LogStatus>(snapshot.logs[0]).region_map = std::string(43, 'c') + "r";
    const auto text = below_status(watch_screen(snapshot, mirrors, {.width = 24}));
    EXPECT_NE(text.find("\n  .....................R\n"), std::string::npos) << text;
}

TEST(WatchScreen, log_without_a_map_has_none) {
    auto snapshot = test::healthy_example();
    std::get<LogStatus>(snapshot.logs[0]).region_map.clear();
    EXPECT_EQ(watch_screen(snapshot, mirrors, {}).find("legend"), std::string::npos);
    EXPECT_EQ(watch_screen(snapshot, mirrors, {}).find("out of sync"), std::string::npos);
}

TEST(WatchScreen, colours_only_when_asked_for) {
    EXPECT_EQ(watch_screen(test::snapshot_example(), mirrors, {}).find('\x1b'), std::string::npos);
    EXPECT_NE(watch_screen(test::snapshot_example(), mirrors, {.colour = true}).find("\x1b[31mF\x1b[0m"),
              std::string::npos);
}

TEST(FitScreen, cuts_what_the_terminal_has_no_room_for) {
    EXPECT_EQ(fit_screen("12345\nabc\n", 5, 2), "12345\nabc");
    EXPECT_EQ(fit_screen("123456\nabc\n", 5, 2), "12345\nabc");
    EXPECT_EQ(fit_screen("1\n2\n3\n4\n", 20, 3), "1\n2\n... 2 more lines");
    EXPECT_EQ(fit_screen("\x1b[31mabcd\x1b[0mefg\n", 5, 1), "\x1b[31mabcd\x1b[0me\x1b[0m");
    EXPECT_EQ(fit_screen("\x1b[31mabcde\x1b[0m\n", 5, 1), "\x1b[31mabcde\x1b[0m");
    EXPECT_EQ(fit_screen("\xc3\xa4\xc3\xb6x\n", 2, 1), "\xc3\xa4\xc3\xb6");
}

TEST(ProgressBar, is_full_only_when_all_is_done) {
    EXPECT_EQ(progress_bar(0, 10, 12), "[..........]");
    EXPECT_EQ(progress_bar(5, 10, 12), "[#####.....]");
    EXPECT_EQ(progress_bar(999, 1000, 12), "[#########.]");
    EXPECT_EQ(progress_bar(1000, 1000, 12), "[##########]");
    EXPECT_EQ(progress_bar(0, 0, 5), "[...]");
}

const SystemFacts good_facts{"6.1.0", true, "", true, true, true, true};

StatusSnapshot good_daemon() {
    auto snapshot = test::healthy_example();
    snapshot.daemon.version = "1.2.3";
    return snapshot;
}

TEST(CheckScreen, all_is_well) {
    EXPECT_EQ(check_screen(findings_of(good_facts, good_daemon(), "1.2.3"), false),
              "ok   runs as root\n"
              "ok   has the capabilities that cmirrord needs\n"
              "ok   kernel 6.1.0 has the netlink connector\n"
              "ok   kernel module dm-mirror\n"
              "ok   kernel module dm-log-userspace\n"
              "ok   corosync runs\n"
              "ok   cmirrord runs, version 1.2.3\n"
              "ok   cmirrord is connected to corosync\n"
              "ok   the cluster has quorum\n"
              "ok   log CMIRROR-data: all 3 members run version 1.2.3\n"
              "everything is set up\n");
}

TEST(CheckScreen, each_fault_says_what_to_do) {
    auto facts = good_facts;
    facts.dm_log_userspace = false;
    facts.missing_rights = "CAP_SYS_ADMIN is missing: run it elsewhere";
    EXPECT_EQ(
        check_screen(findings_of(facts, tl::unexpected<std::string>("it does not run: start it"), "1.2.3"), false),
        "ok   runs as root\n"
        "FAIL has the capabilities that cmirrord needs\n"
        "     -> CAP_SYS_ADMIN is missing: run it elsewhere\n"
        "ok   kernel 6.1.0 has the netlink connector\n"
        "ok   kernel module dm-mirror\n"
        "FAIL kernel module dm-log-userspace\n"
        "     -> install the kernel's modules, then \"modprobe dm-log-userspace\"\n"
        "ok   corosync runs\n"
        "FAIL cmirrord does not answer\n"
        "     -> it does not run: start it\n"
        "3 things are to be mended\n");
}

TEST(CheckScreen, old_daemons_are_named) {
    auto snapshot = good_daemon();
    std::get<LogStatus>(snapshot.logs[0]).members[2].legacy = true;
    const auto findings = findings_of(good_facts, snapshot, "1.3.0");
    EXPECT_EQ(findings[6].advice,
              "cmirrorctl has version 1.3.0: the daemon is of before an upgrade; \"systemctl kill -s KILL "
              "lvm2-cmirrord\" starts the new one");
    EXPECT_EQ(findings[9].what, "log CMIRROR-data: node 3 runs an older cmirrord");
    EXPECT_EQ(findings[9].advice, "it works, but slowly: install this cmirrord there as well");
    const auto json = nlohmann::json::parse(check_document(findings));
    EXPECT_EQ(json["healthy"], false);
    EXPECT_EQ(json["findings"].size(), 10U);
}

TEST(CheckScreen, members_of_another_version_are_named) {
    auto snapshot = good_daemon();
    auto& members = std::get<LogStatus>(snapshot.logs[0]).members;
    members[1].version = "1.2.2";
    members[2].version = "1.3.0";
    const auto findings = findings_of(good_facts, snapshot, "1.2.3");
    EXPECT_FALSE(findings[9].good);
    EXPECT_EQ(findings[9].what,
              "log CMIRROR-data: node 2 runs version 1.2.2, node 3 runs version 1.3.0, this one 1.2.3");
    EXPECT_EQ(findings[9].advice, "install the same version on all nodes");
}

TEST(CheckScreen, member_that_has_not_told_its_version_is_not_blamed) {
    auto snapshot = good_daemon();
    std::get<LogStatus>(snapshot.logs[0]).members[2].version.clear();
    const auto findings = findings_of(good_facts, snapshot, "1.2.3");
    EXPECT_TRUE(findings[9].good);
    EXPECT_EQ(findings[9].what, "log CMIRROR-data: 2 of 3 members run version 1.2.3");
}

TEST(CheckScreen, mirrors_of_the_tab_are_to_be_active) {
    const auto tab = Cmirrortab::parse(
        "data /dev/a,/dev/b none size=1M,region-size=4K\n"
        "late /dev/c,/dev/d none size=1M,region-size=4K\n"
        "by-hand /dev/e,/dev/f none size=1M,region-size=4K,noauto\n");
    EXPECT_EQ(check_screen(findings_of_tab(tab, {"data"}), false),
              "ok   mirror data is active\n"
              "FAIL mirror late is active\n"
              "     -> cmirrorctl activate late\n"
              "1 thing is to be mended\n");
    EXPECT_TRUE(findings_of_tab(Cmirrortab{}, {}).empty());
}

TEST(CheckScreen, tab_that_makes_no_sense_is_told) {
    EXPECT_EQ(
        check_screen(findings_of_tab(tl::unexpected<std::string>("/etc/cmirrortab: line 2: it is bad"), {}), false),
        "FAIL the lines of the tab make sense\n"
        "     -> /etc/cmirrortab: line 2: it is bad; cmirrortab(5) describes them\n"
        "1 thing is to be mended\n");
}

}  // namespace
}  // namespace cmirror::ctl
