// The snapshot as JSON.
#include "messages/wire_status.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "messages/wire_control.hpp"
#include "tests/unit/status_example.hpp"

namespace cmirror {
namespace {

using test::snapshot_example;

TEST(WireStatus, snapshot_survives) {
    auto snapshot = snapshot_example();
    snapshot.logs.emplace_back(PartMissing{"it ended"});
    snapshot.actors.emplace_back(PartMissing{});
    EXPECT_EQ(unpack_status(pack_status(snapshot)).value(), snapshot);
}

TEST(WireStatus, headings_and_fields_become_names_for_programs) {
    StatusSnapshot snapshot;
    snapshot.actors = {ActorStatus{"CLUSTER COMPONENT DEBUGGING::", {{"queued_bytes", "12"}, {"quorum", "NO"}}}};
    const auto json = nlohmann::json::parse(pack_status(snapshot));
    EXPECT_EQ(json["components"], nlohmann::json::parse(R"([{"name":"cluster","queued-bytes":12,"quorum":false}])"));
}

TEST(WireStatus, luid_and_digest_are_text) {
    const auto json = nlohmann::json::parse(pack_status(snapshot_example()));
    EXPECT_EQ(json["logs"][0]["luid"], "0xffff8d775af61000");
    EXPECT_EQ(json["logs"][0]["state-digest"], "0xfedcba9876543210");
    EXPECT_EQ(json["version"], 1);
}

TEST(WireStatus, every_key_is_hyphenated) {
    EXPECT_EQ(pack_status(snapshot_example()).find('_'), std::string::npos);
}

TEST(WireStatus, another_daemon_of_the_same_version_is_understood) {
    const auto snapshot = unpack_status(
        R"({"version":1,"new":true,"daemon":{"version":"9"},"logs":[{"uuid":"a","dirty-count":"many","new":[]}]})");
    ASSERT_TRUE(snapshot) << snapshot.error();
    EXPECT_EQ(snapshot->daemon.version, "9");
    const auto& log = std::get<LogStatus>(snapshot->logs.at(0));
    EXPECT_EQ(log.uuid.text(), "a");
    EXPECT_EQ(log.dirty_count, 0U);
}

TEST(WireStatus, refusal_and_nonsense_are_errors) {
    EXPECT_EQ(unpack_status(pack_control_reply({"not you", 0})).error(), "not you");
    for (const auto* bad : {"", "[]", "{}", R"({"version":2,"daemon":{}})", R"({"version":1})"})
        EXPECT_FALSE(unpack_status(bad)) << bad;
}

}  // namespace
}  // namespace cmirror
