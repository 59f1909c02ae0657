// The stories of what once broke a rule of the log: each is a scenario that the core must survive.
#pragma once

#include <cerrno>
#include <string>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {

struct Attack : Group {
    std::uint32_t ask(NodeId id, R type, RequestPayload payload = {}) {
        return cluster->ask(id, type, std::move(payload));
    }
    /// A request whose answer may have to wait; whatever is delivered meanwhile is.
    std::uint32_t begin(NodeId id, R type, RequestPayload payload = {}) {
        const std::uint32_t seq = ask(id, type, std::move(payload));
        cluster->settle();
        return seq;
    }
    FlagAndRegion work_of(NodeId id, std::uint32_t seq) {
        const auto reply = cluster->reply_to(id, seq);
        EXPECT_TRUE(reply && reply->error == 0);
        return reply ? std::get<FlagAndRegion>(reply->payload) : FlagAndRegion{};
    }
    std::uint64_t in_sync(NodeId id, RegionNumber region) { return integer(id, R::in_sync, region); }
    FlagAndRegion recovering(NodeId id, RegionNumber region) { return pair(id, R::is_remote_recovering, region); }
    /// CTR and RESUME of a daemon that revive() brought, as its kernel sends them again.
    void reconnect(NodeId id, const std::string& arguments) {
        call(id, R::ctr, ConstructorText{arguments, true});
        call(id, R::resume);
    }
    bool marked(NodeId id, NodeId by, RegionNumber region) { return state(id).marks().marked_by(owner(by), region); }
};

struct AttackDisk : Attack {
    AttackDisk() { use(disk_log); }
};

}  // namespace cmirror::mirror_log
