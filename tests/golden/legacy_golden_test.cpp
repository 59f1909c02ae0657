// The recorded sessions with one of ours in the place of node 1: what nodes 2 and 3 said is said again, node 1's kernel
// asks what it asked, and ours must multicast the recorded answers and checkpoints.
#include <gtest/gtest.h>

#include "messages/legacy_frame.hpp"
#include "messages/wire_cluster.hpp"
#include "tests/golden/golden_data.hpp"
#include "tests/unit/log_cluster.hpp"

namespace cmirror::mirror_log {
namespace {

using Frames = std::vector<std::pair<NodeId, LegacyFrame>>;

Frames recorded(const std::string& name) {
    Frames frames;
    for (const golden::RecordedFrame& frame : golden::recorded_frames(name)) {
        // Behind the header's first 32 bytes comes the uuid.
        const char* const uuid = reinterpret_cast<const char*>(frame.bytes.data() + 32);
        const auto message = unpack_cluster_message(frame.bytes, *Uuid::from_text(uuid));
        frames.emplace_back(frame.node, std::get<LegacyFrame>(*message));
    }
    return frames;
}

class RecordedSession : public ::testing::Test {
  protected:
    /// What one of ours answers otherwise, by design, is left out on both sides.
    static bool counts(const LegacyFrame& frame) {
        // Its own requests it answers itself, without a response.
        if (is_legacy_response(frame)) return frame.originator != 1;
        return frame.type == legacy_checkpoint_ready;
    }

    void play(const std::string& name, const std::string& arguments) {
        cluster_ = std::make_unique<LogCluster>(arguments);
        cluster_->start(1);
        cluster_->advance(std::chrono::seconds{1});
        bool gone = false;
        for (const auto& [node, frame] : recorded(name)) {
            if (gone) break;
            if (node == 1) {
                if (counts(frame)) expected_.push_back(frame);
                gone = legacy_request_type(frame) == RequestType::postsuspend;
                if (!gone) ask(frame);
            } else {
                say(node, frame);
            }
        }
        std::vector<LegacyFrame> said;
        for (const auto& [node, message] : cluster_->spoken)
            if (const auto* frame = std::get_if<LegacyFrame>(&message); frame != nullptr && node == 1 && counts(*frame))
                said.push_back(*frame);
        ASSERT_GT(expected_.size(), 10U);
        ASSERT_EQ(said.size(), expected_.size());
        for (std::size_t i = 0; i < said.size(); ++i)
            EXPECT_EQ(said[i], expected_[i]) << i << ": type " << expected_[i].type << " seq " << expected_[i].seq;
    }

  private:
    /// Node 1's kernel asks what it asked.
    void ask(const LegacyFrame& frame) {
        const auto type = legacy_request_type(frame);
        if (!type || is_legacy_response(frame) || *type == RequestType::resume) return;
        const auto integers = legacy_integers(frame);
        RequestPayload payload;
        if (*type == RequestType::set_region_sync) {
            payload = RegionSync{integers[0], integers[1] != 0};
        } else if (!integers.empty()) {
            RegionList list;
            for (const std::uint64_t region : integers)
                list.push_back(region);
            payload = list;
        }
        ASSERT_TRUE(cluster_->call(1, *type, payload)) << frame.seq;
        cluster_->advance(std::chrono::milliseconds{300});
    }

    /// Another node says what it said. The order of a join and its RESUME is corosync's.
    void say(NodeId node, const LegacyFrame& frame) {
        if (!joined_.contains(node)) {
            joined_.insert(node);
            // A run that was asked for ahead has gone back by then.
            cluster_->advance(std::chrono::seconds{3});
            cluster_->drop_next[node] = 1000000;
            cluster_->join_legacy(node, 70);
        }
        cluster_->say_for(node, frame);
        cluster_->settle();
    }

    std::unique_ptr<LogCluster> cluster_;
    std::set<NodeId> joined_;
    std::vector<LegacyFrame> expected_;
};

TEST_F(RecordedSession, ours_in_the_place_of_the_server_of_a_core_log) {
    play("three-nodes-core.frames", "71680 clustered-core 1024");
}
TEST_F(RecordedSession, ours_in_the_place_of_the_server_of_a_disk_log) {
    play("three-nodes-disk.frames", "71680 clustered-disk 7:0 1024 block_on_error");
}

}  // namespace
}  // namespace cmirror::mirror_log
