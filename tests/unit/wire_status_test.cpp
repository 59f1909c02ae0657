// The snapshot as JSON.
#include "messages/wire_status.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "messages/wire_control.hpp"
#include "tests/unit/status_example.hpp"

namespace cmirror {
namespace {

using test::snapshot_example;

TEST(WireStatus, snapshot_survives) {
    auto snapshot = snapshot_example();
    std::get<LogStatus>(snapshot.logs[0]).awaited = {{3, 4711}};
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

void collect_keys(const nlohmann::json& value, std::set<std::string>& keys) {
    for (const auto& [key, inner] : value.items()) {
        if (value.is_object()) keys.insert(key);
        if (inner.is_structured()) collect_keys(inner, keys);
    }
}

TEST(WireStatus, every_key_is_hyphenated) {
    auto snapshot = snapshot_example();
    auto& kernel = std::get<ActorStatus>(snapshot.actors[1]);
    kernel.fields.emplace_back("fault bad_size", "1");
    kernel.times.emplace_back("MARK_REGION", LatencyHistogram{});
    std::set<std::string> keys;
    collect_keys(nlohmann::json::parse(pack_status(snapshot)), keys);
    EXPECT_GT(keys.size(), 40U);
    for (const auto& key : keys)
        EXPECT_EQ(key.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string::npos) << key;
}

TEST(WireStatus, list_of_nodes_is_one_for_programs_too) {
    StatusSnapshot snapshot;
    for (const auto* nodes : {"1 2 30", "1", ""}) {
        snapshot.actors = {ActorStatus{"cluster", {{"node-list", nodes}}}};
        EXPECT_EQ(unpack_status(pack_status(snapshot)).value(), snapshot) << nodes;
    }
    snapshot.actors = {ActorStatus{"CLUSTER", {{"node_list", "1 2 30"}}}};
    EXPECT_EQ(nlohmann::json::parse(pack_status(snapshot))["components"][0]["node-list"],
              nlohmann::json::parse("[1, 2, 30]"));
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
