// What `cmirrorctl status` prints, to the letter.
#include "main/ctl/status_screen.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "main/ctl/text.hpp"
#include "messages/wire_status.hpp"
#include "tests/unit/status_example.hpp"

namespace cmirror::ctl {
namespace {

using test::healthy_example;
using test::log_example;
using test::snapshot_example;

const LocalMirrors mirrors{{"CMIRROR-data", {"data"}}};

TEST(StatusScreen, degraded) {
    EXPECT_EQ(status_screen(snapshot_example(), mirrors, {}),
              "node 1, cmirrord 1.2.3: degraded\n"
              "cluster: connected, quorate, 3 nodes; 1 log\n"
              "\n"
              "NAME  UUID          STATE   IN SYNC  DIRTY  RECOVERING            LOG DEVICE  MEMBERS\n"
              "data  CMIRROR-data  active    50.0%      2  3 at 12.5/s, 3s left  7:0 ok      1* 2?(legacy)\n"
              "\n"
              "data: node 2 has joined and waits for the state\n"
              "data: node 3 is away and may still write 5 regions\n"
              "    -> once it is certainly dead (fenced, power off): cmirrorctl node-gone 3\n"
              "data: 35 regions of 70 are out of sync, they are being recovered\n");
}

TEST(StatusScreen, healthy) {
    EXPECT_EQ(status_screen(healthy_example(), mirrors, {}),
              "node 1, cmirrord 1.2.3: healthy\n"
              "cluster: connected, quorate, 3 nodes; 1 log\n"
              "\n"
              "NAME  UUID          STATE   IN SYNC  DIRTY  RECOVERING  LOG DEVICE  MEMBERS\n"
              "data  CMIRROR-data  active   100.0%      2  -           7:0 ok      1* 2 3\n");
}

TEST(StatusScreen, no_log_at_all) {
    StatusSnapshot snapshot;
    snapshot.daemon = {"1.2.3", 2};
    snapshot.actors = {ActorStatus{"cluster", {{"connected", "YES"}, {"quorum", "NO"}, {"nodes", "1"}}}};
    EXPECT_EQ(status_screen(snapshot, {}, {}),
              "node 2, cmirrord 1.2.3: degraded\n"
              "cluster: connected, NO QUORUM, 1 node; 0 logs\n"
              "\n"
              "the cluster has no quorum, writes to regions that are not dirty yet wait\n"
              "    -> look at it with \"corosync-quorumtool\", bring the other nodes back\n");
}

TEST(StatusScreen, mirror_whose_kernel_has_not_asked_yet_is_there) {
    const LocalMirrors two{{"CMIRROR-data", {"data"}}, {"CMIRROR-idle", {"idle"}}};
    EXPECT_EQ(status_screen(healthy_example(), two, {}),
              "node 1, cmirrord 1.2.3: healthy\n"
              "cluster: connected, quorate, 3 nodes; 1 log\n"
              "\n"
              "NAME  UUID          STATE    IN SYNC  DIRTY  RECOVERING  LOG DEVICE  MEMBERS\n"
              "data  CMIRROR-data  active    100.0%      2  -           7:0 ok      1* 2 3\n"
              "idle  CMIRROR-idle  unasked        -      -  -           -           -\n");
    const auto snapshot = healthy_example();
    const auto json = nlohmann::json::parse(status_document(pack_status(snapshot), snapshot, two, Indent::one_line));
    EXPECT_EQ(json["unasked-mirrors"], nlohmann::json::parse(R"([{"name": "idle", "uuid": "CMIRROR-idle"}])"));
}

TEST(StatusScreen, verbose_shows_what_a_log_holds) {
    const auto text = status_screen(snapshot_example(), mirrors, {.verbose = true});
    EXPECT_EQ(text.substr(text.find("\n\ndata\n") + 1),
              "\n"
              "data\n"
              "  log:        clustered-disk, luid 0xffff8d775af61000, 70 regions of 1024 sectors\n"
              "  marks:      node 1 luid 0xff01: 2, regions 4 9\n"
              "              node 3 luid 0xaa: 5, regions 1 2 ..., AWAY\n"
              "  recovering: node 1: regions 12 to 14\n"
              "  pending:    FLUSH (seq 17), for 3.2s\n"
              "  counters:   100 requests (1 bad), 8 rounds, 3 regions recovered here\n"
              "  round time: 8, mean 0.4ms, 99% below 1ms\n"
              "  log device: 7:0, 5 writes, 20480 bytes\n"
              "\n"
              "requests of the kernel, until they were answered\n"
              "  FLUSH  2, mean 1.45ms, 99% below 3ms\n");
}

TEST(StatusScreen, single_region_is_no_stretch) {
    auto snapshot = snapshot_example();
    std::get<LogStatus>(snapshot.logs[0]).recovering[0].count = 1;
    EXPECT_NE(status_screen(snapshot, mirrors, {.verbose = true}).find("  recovering: node 1: region 12\n"),
              std::string::npos);
}

TEST(StatusScreen, narrow_one_does_without_uuids) {
    auto snapshot = healthy_example();
    auto& log = std::get<LogStatus>(snapshot.logs.emplace_back(snapshot.logs[0]));
    log.uuid = Uuid::from_text("LVM-3cKnfSg3RFVZbpUBQzvJb2kGd3jfOoHb").value();
    const auto text = status_screen(snapshot, mirrors, {.width = 90});
    EXPECT_EQ(text.substr(text.find("NAME")),
              "NAME              STATE   IN SYNC  DIRTY  RECOVERING  LOG DEVICE  MEMBERS\n"
              "data              active   100.0%      2  -           7:0 ok      1* 2 3\n"
              "LVM-3cKnfSg3R...  active   100.0%      2  -           7:0 ok      1* 2 3\n");
    EXPECT_NE(status_screen(snapshot, mirrors, {.width = 120}).find("UUID"), std::string::npos);
}

TEST(StatusScreen, readme_shows_a_real_one) {
    auto snapshot = snapshot_example();
    snapshot.daemon = {"1.0.0", 1};
    std::get<ActorStatus>(snapshot.actors[0]).fields[2].second = "2";
    auto& log = std::get<LogStatus>(snapshot.logs[0]);
    log.sync_count = 65;
    log.dirty_count = 5;
    log.recovering.clear();
    log.marks = {{{3, 0xaa}, 5, {}, false, false}};
    log.members = {{{1, 100}, true, true, false}, {{2, 200}, true, false, false}};
    log.device->name = "254:32";
    std::ifstream readme(CMIRROR_README);
    const std::string text{std::istreambuf_iterator<char>(readme), {}};
    std::string indented;
    std::istringstream screen(status_screen(snapshot, mirrors, {}));
    for (std::string line; std::getline(screen, line);)
        indented += (line.empty() ? "" : "    ") + line + "\n";
    EXPECT_NE(text.find(indented), std::string::npos) << indented;
}

TEST(StatusScreen, colours_only_when_asked_for) {
    EXPECT_EQ(status_screen(snapshot_example(), mirrors, {}).find('\x1b'), std::string::npos);
    EXPECT_NE(status_screen(snapshot_example(), mirrors, {.colour = true}).find("\x1b[31mdegraded\x1b[0m"),
              std::string::npos);
}

TEST(StatusScreen, recovery_without_a_known_rate_has_no_time_left) {
    auto log = log_example();
    log.sync_rate = 0;
    EXPECT_EQ(recovery_text(log), "3");
}

TEST(StatusDocument, adds_names_and_verdict_to_what_the_daemon_said) {
    const auto snapshot = snapshot_example();
    const auto json = nlohmann::json::parse(status_document(pack_status(snapshot), snapshot, mirrors));
    EXPECT_EQ(json["version"], 1);
    EXPECT_EQ(json["healthy"], false);
    EXPECT_EQ(json["logs"][0]["name"], "data");
    EXPECT_EQ(json["logs"][0]["sync-count"], 35);
    EXPECT_EQ(json["problems"].size(), 3U);
    EXPECT_EQ(json["problems"][1]["advice"], "once it is certainly dead (fenced, power off): cmirrorctl node-gone 3");
}

template <class Change>
std::vector<Problem> problems_after(Change change) {
    auto snapshot = healthy_example();
    change(std::get<LogStatus>(snapshot.logs[0]));
    return problems_of(snapshot, mirrors);
}

TEST(Health, nothing_is_wrong_with_a_healthy_mirror) {
    EXPECT_TRUE(problems_of(healthy_example(), mirrors).empty());
    // It has not been resumed yet: nothing is known of it.
    EXPECT_TRUE(problems_after([](LogStatus& log) {
                    log.state = "pending";
                    log.members.clear();
                    log.sync_count = 0;
                    log.quorate = false;
                }).empty());
}

TEST(Health, refresh_that_is_due_is_advised) {
    const auto problems = problems_after([](LogStatus& log) {
        log.sync_count = 69;
        log.refresh_due = true;
    });
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].what,
              "1 region of 70 is out of sync, and the kernel does not ask for work before its next resume");
    EXPECT_EQ(problems[0].advice, "on any one node: cmirrorctl refresh data");
}

TEST(Health, kernel_that_waits_for_long_is_a_problem_unless_it_waits_for_work) {
    const auto waiting = [](const char* type, std::uint64_t ms) {
        return problems_after([=](LogStatus& log) { log.pending = {{1, "FLUSH", 20}, {2, type, ms}}; });
    };
    EXPECT_TRUE(waiting("GET_RESYNC_WORK", 60'000).empty());
    EXPECT_TRUE(waiting("FLUSH", 9'999).empty());
    const auto problems = waiting("FLUSH", 12'500);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].what, "its kernel has waited for an answer for 12.5s (FLUSH)");
}

TEST(Health, each_trouble_is_named) {
    EXPECT_EQ(problems_after([](LogStatus& log) { log.quorate = false; }).size(), 1U);
    EXPECT_EQ(problems_after([](LogStatus& log) { log.device->failed = true; }).size(), 1U);
    EXPECT_EQ(problems_after([](LogStatus& log) { log.members[2].valid = false; }).size(), 1U);
    EXPECT_EQ(problems_after([](LogStatus& log) { log.awaited = {{3, 4711}}; }).size(), 1U);
    auto snapshot = healthy_example();
    snapshot.logs.emplace_back(PartMissing{});
    snapshot.actors.emplace_back(PartMissing{});
    EXPECT_EQ(problems_of(snapshot, mirrors).size(), 2U);
    std::get<ActorStatus>(snapshot.actors[0]).fields[0].second = "NO";
    EXPECT_EQ(problems_of(snapshot, mirrors).size(), 3U);
}

TEST(Text, durations_and_shares) {
    EXPECT_EQ(duration(0.4), "0s");
    EXPECT_EQ(duration(59.4), "59s");
    EXPECT_EQ(duration(200), "3m20s");
    EXPECT_EQ(duration(7500), "2h05m");
    EXPECT_EQ(duration(273'700), "3d04h");
    EXPECT_EQ(duration(1e300), duration(3.2e9));
    EXPECT_EQ(seconds_text(0), "0.0s");
    EXPECT_EQ(seconds_text(59'999), "59.9s");
    EXPECT_EQ(seconds_text(200'000), "3m20s");
    EXPECT_EQ(percent(39'999'999, 40'000'000), "99.9%");
    EXPECT_EQ(percent(40, 40), "100.0%");
    EXPECT_EQ(percent(0, 0), "-");
}

}  // namespace
}  // namespace cmirror::ctl
