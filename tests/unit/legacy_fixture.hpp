// A cluster of cores and of members that speak the field's protocol alone.
#pragma once

#include <algorithm>

#include <cerrno>

#include "messages/legacy_frame.hpp"
#include "messages/wire_disk.hpp"
#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {

struct MixedGroup : Group {
    static constexpr std::uint64_t region_count = 70;

    test::LegacyMember& legacy(NodeId id) { return cluster->legacy(id); }
    test::LegacyMember& join_legacy(NodeId id) {
        auto& member = cluster->join_legacy(id, region_count);
        cluster->settle();
        return member;
    }
    std::uint32_t legacy_ask(NodeId id, R type, std::vector<std::uint64_t> integers = {}) {
        const std::uint32_t seq = legacy(id).request(type, std::move(integers));
        cluster->collect_legacy(id);
        return seq;
    }
    auto legacy_call(NodeId id, R type, std::vector<std::uint64_t> integers = {}) {
        const std::uint32_t seq = legacy_ask(id, type, std::move(integers));
        cluster->settle();
        return legacy(id).reply_to(seq);
    }
    bool legacy_done(NodeId id, R type, std::vector<std::uint64_t> integers = {}) {
        const auto reply = legacy_call(id, type, std::move(integers));
        return reply && reply->error == 0;
    }
    using Pair = std::vector<std::uint64_t>;
    Pair legacy_pair(NodeId id, R type, std::vector<std::uint64_t> integers = {}) {
        const auto reply = legacy_call(id, type, std::move(integers));
        EXPECT_TRUE(reply);
        return reply ? reply->integers : Pair{};
    }
    /// Frames of the field's protocol that the node multicast, of one type.
    std::vector<LegacyFrame> frames(NodeId id, std::uint32_t type) const {
        std::vector<LegacyFrame> found;
        for (const auto& [sender, message] : cluster->spoken) {
            const auto* frame = std::get_if<LegacyFrame>(&message);
            if (frame != nullptr && sender == id && frame->type == type) found.push_back(*frame);
        }
        return found;
    }
    std::vector<LegacyFrame> requests(NodeId id, R type) const { return frames(id, static_cast<std::uint32_t>(type)); }
    std::vector<LegacyFrame> responses(NodeId id, R type) const {
        return frames(id, static_cast<std::uint32_t>(type) | legacy_response_flag);
    }
    std::vector<LegacyFrame> checkpoints(NodeId id) const { return frames(id, legacy_checkpoint_ready); }
    bool spoke_legacy(NodeId id) const {
        return std::any_of(cluster->spoken.begin(), cluster->spoken.end(), [id](const auto& s) {
            return s.first == id && std::holds_alternative<LegacyFrame>(s.second);
        });
    }
    bool mixed(NodeId id) { return state(id).legacy().mode == LegacyGroup::Mode::mixed; }
    /// Legacy copies and ours agree on sync and clean bits, and on who recovers what.
    void expect_alike(NodeId ours, NodeId theirs) {
        const auto& copy = *state(ours).legacy().copy;
        for (RegionNumber region = 0; region < region_count; ++region) {
            EXPECT_EQ(copy.sync().test(region), legacy(theirs).in_sync(region)) << region;
            EXPECT_EQ(copy.clean().test(region), legacy(theirs).clean(region)) << region;
            EXPECT_EQ(state(ours).sync().test(region), legacy(theirs).in_sync(region)) << region;
        }
        EXPECT_EQ(copy.recovering(), legacy(theirs).recovering());
    }
};

struct MixedDiskGroup : MixedGroup {
    MixedDiskGroup() { use(disk_log); }
};

}  // namespace cmirror::mirror_log
