#include <gtest/gtest.h>

#include "messages/wire_cluster.hpp"
#include "tests/golden/golden_data.hpp"

namespace cmirror {
namespace {

using golden::RecordedFrame;

constexpr std::uint32_t checkpoint_ready = 21;
constexpr std::uint64_t region_count = 70;

class RecordedCluster : public testing::TestWithParam<const char*> {
  protected:
    LegacyFrame read(const RecordedFrame& frame) const {
        const auto message = unpack_cluster_message(frame.bytes, group_);
        EXPECT_TRUE(message && std::holds_alternative<LegacyFrame>(*message));
        return message ? std::get<LegacyFrame>(*message) : LegacyFrame{};
    }
    std::vector<LegacyFrame> checkpoints() const {
        std::vector<LegacyFrame> found;
        for (const auto& frame : frames_)
            if (read(frame).type == checkpoint_ready) found.push_back(read(frame));
        return found;
    }

    Uuid group_ = *Uuid::from_text("LVM-golden01");
    std::vector<RecordedFrame> frames_ = golden::recorded_frames(GetParam());
};

TEST_P(RecordedCluster, all_frames_are_there) {
    EXPECT_EQ(frames_.size(), 55U);
}

TEST_P(RecordedCluster, every_frame_is_written_as_it_was_read) {
    for (const auto& frame : frames_)
        EXPECT_EQ(pack_cluster_message(read(frame), group_), frame.bytes);
}

TEST_P(RecordedCluster, three_checkpoints_were_sent) {
    EXPECT_EQ(checkpoints().size(), 3U);
}

TEST_P(RecordedCluster, every_checkpoint_is_written_as_it_was_read) {
    for (const auto& frame : checkpoints()) {
        const auto checkpoint = unpack_legacy_checkpoint(frame.data, region_count);
        ASSERT_TRUE(checkpoint.has_value());
        EXPECT_EQ(pack_legacy_checkpoint(*checkpoint, region_count), frame.data);
    }
}

TEST_P(RecordedCluster, first_checkpoint_has_three_regions_in_sync) {
    EXPECT_EQ(unpack_legacy_checkpoint(checkpoints().at(0).data, region_count)->sync_words.at(0), 7U);
}

TEST_P(RecordedCluster, later_checkpoints_tell_of_region_40) {
    EXPECT_EQ(unpack_legacy_checkpoint(checkpoints().at(1).data, region_count)->recovering_region, 40U);
}

INSTANTIATE_TEST_SUITE_P(All, RecordedCluster, testing::Values("three-nodes-core.frames", "three-nodes-disk.frames"),
                         [](const auto& session) {
                             return std::string_view(session.param).find("core") != std::string_view::npos ? "core"
                                                                                                           : "disk";
                         });

}  // namespace
}  // namespace cmirror
