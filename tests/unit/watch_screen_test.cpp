// What `cmirrorctl watch` and `cmirrorctl check` show, to the letter.
#include "main/ctl/watch_screen.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "main/ctl/check_screen.hpp"
#include "tests/unit/status_example.hpp"

namespace cmirror::ctl {
namespace {

const MirrorNames names{{"CMIRROR-data", "data"}};

/// Behind what `status` shows.
std::string below_status(const std::string& text) {
    return text.substr(text.rfind("\n\ndata\n") + 2);
}

TEST(WatchScreen, bar_map_and_legend) {
    EXPECT_EQ(below_status(watch_screen(test::snapshot_example(), names, {.width = 30})),
              "data\n"
              "  [##########..........] 50.0%\n"
              "  ..ddRR----F\n"
              "\n"
              ". clean  d dirty  - out of sync  R recovering  F failed\n");
}

TEST(WatchScreen, map_that_is_too_long_shows_the_worst_of_each_stretch) {
    auto snapshot = test::snapshot_example();
    std::get<LogStatus>(snapshot.logs[0]).region_map = std::string(43, 'c') + "r";
    const auto text = below_status(watch_screen(snapshot, names, {.width = 24}));
    EXPECT_NE(text.find("\n  .....................R\n"), std::string::npos) << text;
}

TEST(WatchScreen, log_without_a_map_has_none) {
    auto snapshot = test::healthy_example();
    std::get<LogStatus>(snapshot.logs[0]).region_map.clear();
    EXPECT_EQ(watch_screen(snapshot, names, {}).find("legend"), std::string::npos);
    EXPECT_EQ(watch_screen(snapshot, names, {}).find("out of sync"), std::string::npos);
}

TEST(WatchScreen, colours_only_when_asked_for) {
    EXPECT_EQ(watch_screen(test::snapshot_example(), names, {}).find('\x1b'), std::string::npos);
    EXPECT_NE(watch_screen(test::snapshot_example(), names, {.colour = true}).find("\x1b[31mF\x1b[0m"),
              std::string::npos);
}

TEST(ProgressBar, is_full_only_when_all_is_done) {
    EXPECT_EQ(progress_bar(0, 10, 12), "[..........]");
    EXPECT_EQ(progress_bar(5, 10, 12), "[#####.....]");
    EXPECT_EQ(progress_bar(999, 1000, 12), "[#########.]");
    EXPECT_EQ(progress_bar(1000, 1000, 12), "[##########]");
    EXPECT_EQ(progress_bar(0, 0, 5), "[...]");
}

const SystemFacts good_facts{"6.1.0", true, true, true, true, true};

StatusSnapshot good_daemon() {
    auto snapshot = test::healthy_example();
    snapshot.daemon.version = "1.2.3";
    return snapshot;
}

TEST(CheckScreen, all_is_well) {
    EXPECT_EQ(check_screen(findings_of(good_facts, good_daemon(), "1.2.3"), false),
              "ok   runs as root\n"
              "ok   kernel 6.1.0 has the netlink connector\n"
              "ok   kernel module dm-mirror\n"
              "ok   kernel module dm-log-userspace\n"
              "ok   corosync runs\n"
              "ok   cmirrord runs, version 1.2.3\n"
              "ok   cmirrord is connected to corosync\n"
              "ok   the cluster has quorum\n"
              "ok   log CMIRROR-data: all 3 members speak this daemon's language\n"
              "everything is set up\n");
}

TEST(CheckScreen, each_fault_says_what_to_do) {
    auto facts = good_facts;
    facts.dm_log_userspace = false;
    EXPECT_EQ(
        check_screen(findings_of(facts, tl::unexpected<std::string>("it does not run: start it"), "1.2.3"), false),
        "ok   runs as root\n"
        "ok   kernel 6.1.0 has the netlink connector\n"
        "ok   kernel module dm-mirror\n"
        "FAIL kernel module dm-log-userspace\n"
        "     -> install the kernel's modules, then \"modprobe dm-log-userspace\"\n"
        "ok   corosync runs\n"
        "FAIL cmirrord does not answer\n"
        "     -> it does not run: start it\n"
        "2 things are to be mended\n");
}

TEST(CheckScreen, old_daemons_are_named) {
    auto snapshot = good_daemon();
    std::get<LogStatus>(snapshot.logs[0]).members[2].legacy = true;
    const auto findings = findings_of(good_facts, snapshot, "1.3.0");
    EXPECT_EQ(findings[5].advice,
              "cmirrorctl has version 1.3.0: the daemon is of before an upgrade; \"systemctl kill -s KILL "
              "lvm2-cmirrord\" starts the new one");
    EXPECT_EQ(findings[8].what, "log CMIRROR-data: node 3 runs an older cmirrord");
    const auto json = nlohmann::json::parse(check_document(findings));
    EXPECT_EQ(json["healthy"], false);
    EXPECT_EQ(json["findings"].size(), 9U);
}

}  // namespace
}  // namespace cmirror::ctl
