// A cluster of cores, and short words for what its kernels ask.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>

#include "tests/unit/log_cluster.hpp"

namespace cmirror::mirror_log {

using R = RequestType;

inline constexpr auto core_log = "71680 clustered-core 1024";
inline constexpr auto disk_log = "71680 clustered-disk 7:0 1024";

struct Group : ::testing::Test {
    std::unique_ptr<LogCluster> cluster = std::make_unique<LogCluster>(core_log);

    void use(const std::string& arguments, Settings settings = LogCluster::without_doubt()) {
        cluster = std::make_unique<LogCluster>(arguments, settings);
    }
    LogCluster::Node& node(NodeId id) { return (*cluster)[id]; }
    const LogState& state(NodeId id) { return *node(id).core->state(); }
    Owner owner(NodeId id) { return {id, node(id).luid}; }
    static RegionList list(std::initializer_list<RegionNumber> regions) { return LogCluster::regions(regions); }

    void start(std::initializer_list<NodeId> ids) {
        for (const NodeId id : ids)
            cluster->start(id);
    }
    auto call(NodeId id, R type, RequestPayload payload = {}) { return cluster->call(id, type, std::move(payload)); }
    void suspend(NodeId id) {
        call(id, R::presuspend);
        call(id, R::postsuspend);
    }
    int error(NodeId id, R type, RequestPayload payload = {}) {
        const auto reply = call(id, type, std::move(payload));
        return reply ? reply->error : 1;
    }
    std::uint64_t integer(NodeId id, R type, RequestPayload payload = {}) {
        const auto reply = call(id, type, std::move(payload));
        EXPECT_TRUE(reply && reply->error == 0);
        return std::get<std::uint64_t>(reply->payload);
    }
    FlagAndRegion pair(NodeId id, R type, RequestPayload payload = {}) {
        const auto reply = call(id, type, std::move(payload));
        EXPECT_TRUE(reply && reply->error == 0);
        return reply ? std::get<FlagAndRegion>(reply->payload) : FlagAndRegion{};
    }
    bool answered(NodeId id, std::uint32_t seq) { return cluster->reply_to(id, seq).has_value(); }
    void recover(NodeId id, RegionNumber region) {
        call(id, R::set_region_sync, RegionSync{region, true});
        call(id, R::clear_region, list({region}));
        call(id, R::flush);
    }
    void recover_all(NodeId id) {
        while (true) {
            const FlagAndRegion work = pair(id, R::get_resync_work);
            if (work.flag == 0) break;
            recover(id, work.region);
        }
        cluster->advance(std::chrono::seconds{1});
        ASSERT_TRUE(state(id).sync().all());
    }
    void expect_equal(std::initializer_list<NodeId> ids) {
        const NodeId first = *ids.begin();
        for (const NodeId id : ids) {
            EXPECT_EQ(state(id).digest(), state(first).digest()) << "node " << id;
            EXPECT_EQ(state(id).ordinal(), state(first).ordinal()) << "node " << id;
            EXPECT_EQ(state(id).save(), state(first).save()) << "node " << id;
        }
    }
};

struct DiskGroup : Group {
    DiskGroup() { use(disk_log); }
};

}  // namespace cmirror::mirror_log
