// What the kernel of this node says of its mirrors, and what the screens make of it.
#include "main/ctl/local_mirrors.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "adapters/device_mapper/fake_device_mapper.hpp"
#include "main/ctl/health.hpp"
#include "main/ctl/metrics.hpp"
#include "main/ctl/status_screen.hpp"
#include "messages/wire_status.hpp"
#include "tests/unit/status_example.hpp"

namespace cmirror::ctl {
namespace {

using Names = std::vector<std::string>;

class LocalMirrorsTest : public testing::Test {
  protected:
    LocalMirrorsTest() {
        devices.devices["data"] = {
            .name = "data",
            .uuid = "CMIRROR-data",
            .sectors = 131072,
            .parameters = "userspace 3 CMIRROR-data clustered-core 1024 2 8:0 0 8:16 0 1 handle_errors"};
        devices.statuses["data"] = "2 8:0 8:16 69/70 1 AD 1 clustered-core";
        tab.put({.name = "data",
                 .legs = {"/dev/a", "/dev/b"},
                 .sectors = 131072,
                 .region_sectors = 1024,
                 .log_uuid = "CMIRROR-data"});
    }
    LogStatus& log() { return std::get<LogStatus>(snapshot.logs[0]); }
    LocalMirrors look(AskLegs ask = AskLegs::of_all) { return local_mirrors(devices, tab, snapshot, ask); }

    FakeDeviceMapper devices;
    Cmirrortab tab;
    StatusSnapshot snapshot = test::healthy_example();
};

TEST_F(LocalMirrorsTest, legs_have_the_names_of_the_tab_and_the_kernels_word) {
    const LocalMirror expected{"data", false, true, {{"/dev/a", 'A'}, {"/dev/b", 'D'}}};
    EXPECT_EQ(look().at("CMIRROR-data"), expected);
}

TEST_F(LocalMirrorsTest, mirror_that_is_not_of_the_tab_has_the_kernels_names) {
    devices.devices["data"].parameters = "userspace 3 CMIRROR-x clustered-core 1024 2 8:0 0 8:16 0";
    log().uuid = Uuid::from_text("CMIRROR-x").value();
    const LocalMirror expected{"data", false, false, {{"8:0", 'A'}, {"8:16", 'D'}}};
    EXPECT_EQ(look().at("CMIRROR-x"), expected);
    EXPECT_NE(problems_of(snapshot, look()).at(0).advice.find("\"dmsetup table data\""), std::string::npos);
}

TEST_F(LocalMirrorsTest, kernel_is_not_asked_when_it_might_wait) {
    log().state = "joining";
    EXPECT_EQ(look().at("CMIRROR-data").legs[1].health, '?');
    log().state = "active";
    devices.devices["data"].suspended = true;
    EXPECT_EQ(look().at("CMIRROR-data").legs[1].health, '?');
    snapshot.logs.clear();
    look();
    EXPECT_TRUE(devices.calls_for_status.empty());
}

TEST_F(LocalMirrorsTest, who_looks_again_and_again_asks_only_for_what_is_out_of_sync) {
    look(AskLegs::of_those_out_of_sync);
    EXPECT_TRUE(devices.calls_for_status.empty());
    log().sync_count -= 1;
    EXPECT_EQ(look(AskLegs::of_those_out_of_sync).at("CMIRROR-data").legs[1].health, 'D');
    EXPECT_EQ(devices.calls_for_status, Names{"data"});
}

TEST_F(LocalMirrorsTest, failed_leg_is_told_with_what_to_do) {
    log().sync_count -= 1;
    log().refresh_due = true;
    const auto text = status_screen(snapshot, look(), {});
    EXPECT_EQ(text.substr(text.find("\n\ndata: ") + 2),
              "data: its leg /dev/b has failed (writes), writes to the mirror wait\n"
              "    -> if it works again: cmirrorctl refresh data; else: cmirrorctl replace-leg data /dev/b NEW\n"
              "data: 1 region of 70 is out of sync\n");
    EXPECT_NE(status_screen(snapshot, look(), {.verbose = true})
                  .find("\n  legs:       /dev/a ok\n              /dev/b FAILED (writes)\n"),
              std::string::npos);
}

TEST_F(LocalMirrorsTest, leg_that_cannot_be_read_keeps_nobody_waiting) {
    devices.statuses["data"] = "2 8:0 8:16 70/70 1 RA 1 clustered-core";
    const auto problems = problems_of(snapshot, look());
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].what, "its leg /dev/a has failed (reads)");
}

TEST_F(LocalMirrorsTest, suspended_mirror_is_a_problem) {
    devices.devices["data"].suspended = true;
    const auto problems = problems_of(snapshot, look());
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].what, "it is suspended on this node, its users wait");
    EXPECT_EQ(problems[0].advice, "unless a leg is being replaced: cmirrorctl refresh data");
}

TEST_F(LocalMirrorsTest, programs_are_told_as_well) {
    const auto json = nlohmann::json::parse(status_document(pack_status(snapshot), snapshot, look()));
    EXPECT_EQ(json["healthy"], false);
    EXPECT_EQ(json["logs"][0]["legs"], nlohmann::json::parse(R"([{"device": "/dev/a", "health": "ok"},
        {"device": "/dev/b", "health": "failed", "what-failed": "writes"}])"));
    EXPECT_NE(metrics_text(snapshot, look()).find("cmirror_legs_failed{mirror=\"data\",uuid=\"CMIRROR-data\"} 1\n"),
              std::string::npos);
}

}  // namespace
}  // namespace cmirror::ctl
