// One node, alone in its group, and short words for what its kernel asks.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "tests/unit/log_cluster.hpp"

namespace cmirror::mirror_log {
using R = RequestType;

inline constexpr auto core_log = "71680 clustered-core 1024";
inline constexpr auto disk_log = "71680 clustered-disk 7:0 1024 block_on_error";

inline std::uint64_t integer(const std::optional<KernelReply>& reply) {
    EXPECT_TRUE(reply);
    EXPECT_EQ(reply->error, 0);
    return std::get<std::uint64_t>(reply->payload);
}
inline FlagAndRegion pair(const std::optional<KernelReply>& reply) {
    EXPECT_TRUE(reply);
    EXPECT_EQ(reply->error, 0);
    return std::get<FlagAndRegion>(reply->payload);
}
inline int error(const std::optional<KernelReply>& reply) {
    EXPECT_TRUE(reply);
    return reply ? reply->error : 1;
}

struct OneNode : ::testing::Test {
    std::unique_ptr<LogCluster> cluster = std::make_unique<LogCluster>(core_log);
    void use(const std::string& arguments, Settings settings = {}) {
        cluster = std::make_unique<LogCluster>(arguments, settings);
    }
    LogCluster::Node& node() { return (*cluster)[1]; }
    auto call(R type, RequestPayload payload = {}) { return cluster->call(1, type, std::move(payload)); }
    RegionList list(std::initializer_list<RegionNumber> regions) { return LogCluster::regions(regions); }
    void recover_all() {
        while (true) {
            const FlagAndRegion work = pair(call(R::get_resync_work));
            if (work.flag == 0) return;
            call(R::set_region_sync, RegionSync{work.region, true});
            call(R::clear_region, list({work.region}));
            ASSERT_EQ(error(call(R::flush)), 0);
        }
    }
};

struct OneNodeDisk : OneNode {
    OneNodeDisk() { use(disk_log); }
};

}  // namespace cmirror::mirror_log
