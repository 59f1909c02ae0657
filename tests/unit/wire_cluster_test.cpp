// The frames of the field.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "messages/wire_cluster.hpp"
#include "tests/unit/wire_cluster_frames.hpp"

namespace cmirror::wire_test {
namespace {

/// The same frame as a sender of the other byte order writes it; `width` is that of the data's integers.
Bytes swapped(Bytes frame, std::size_t width) {
    const auto swap = [&](std::size_t at, std::size_t size) {
        std::reverse(frame.begin() + static_cast<std::ptrdiff_t>(at),
                     frame.begin() + static_cast<std::ptrdiff_t>(at + size));
    };
    swap(native_version_at, 8);
    for (const std::size_t at : {16U, 20U, 164U, 168U, 172U, 176U, 180U})
        swap(at, 4);
    swap(24, 8);
    for (std::size_t at = data_at; width != 0 && at + width <= frame.size(); at += width)
        swap(at, width);
    return frame;
}

class WireCluster : public testing::Test {
  protected:
    Bytes legacy_ = frame_of(legacy(10, bytes_of(16)));
    Bytes valid_ = frame_of(Valid{0x1122});
};

// -- the field's frames ----------------------------------------------------------------------------

TEST_F(WireCluster, legacy_frame_survives) {
    EXPECT_EQ(after_the_wire(legacy(0x100a, bytes_of(24))), ClusterMessage{legacy(0x100a, bytes_of(24))});
}
TEST_F(WireCluster, frame_without_data_is_184_bytes) {
    EXPECT_EQ(frame_of(legacy(5, {})).size(), data_at);
}
TEST_F(WireCluster, empty_frame_is_short) {
    EXPECT_EQ(fault_of({}), ClusterFrameFault::short_frame);
}
TEST_F(WireCluster, frame_that_ends_in_its_header_is_short) {
    legacy_.resize(data_at - 1);
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::short_frame);
}
TEST_F(WireCluster, versions_2_to_4_are_old) {
    legacy_[0] = std::byte{2};
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::old_version);
}
TEST_F(WireCluster, old_version_is_told_of_a_short_frame_too) {
    legacy_[0] = std::byte{4};
    legacy_.resize(20);
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::old_version);
}
TEST_F(WireCluster, version_1_is_unknown) {
    legacy_[0] = std::byte{1};
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::unknown_version);
}
TEST_F(WireCluster, version_6_is_unknown) {
    legacy_[0] = std::byte{6};
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::unknown_version);
}
TEST_F(WireCluster, native_version_that_is_no_swapped_5_is_unknown) {
    legacy_[native_version_at] = std::byte{6};
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::unknown_version);
}
TEST_F(WireCluster, uuid_of_another_group_is_wrong) {
    legacy_[uuid_at] = std::byte{'X'};
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::wrong_uuid);
}
TEST_F(WireCluster, unterminated_uuid_is_wrong) {
    std::fill_n(legacy_.begin() + uuid_at, 129, std::byte{'u'});
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::wrong_uuid);
}
TEST_F(WireCluster, empty_uuid_is_wrong) {
    legacy_[uuid_at] = std::byte{0};
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::wrong_uuid);
}
TEST_F(WireCluster, data_that_ends_early_has_the_wrong_size) {
    legacy_.pop_back();
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::wrong_data_size);
}
TEST_F(WireCluster, bytes_behind_the_data_make_the_size_wrong) {
    legacy_.push_back(std::byte{0});
    EXPECT_EQ(fault_of(legacy_), ClusterFrameFault::wrong_data_size);
}

// -- the other byte order --------------------------------------------------------------------------

TEST_F(WireCluster, frame_of_the_other_byte_order_is_swapped) {
    EXPECT_EQ(unpack_cluster_message(swapped(legacy_, 8), group()), ClusterMessage{legacy(10, bytes_of(16))});
}
TEST_F(WireCluster, response_of_the_other_byte_order_is_swapped) {
    const auto response = legacy(0x100c, bytes_of(16));
    EXPECT_EQ(unpack_cluster_message(swapped(frame_of(response), 8), group()), ClusterMessage{response});
}
TEST_F(WireCluster, text_of_the_other_byte_order_stays) {
    const auto status = legacy(0x100f, bytes_of(16));
    EXPECT_EQ(unpack_cluster_message(swapped(frame_of(status), 0), group()), ClusterMessage{status});
}
TEST_F(WireCluster, frame_of_an_unknown_type_is_refused) {
    for (const std::uint32_t type : {0U, 18U, 99U, 0x1000U, 0x1063U, 0xdeadbeefU}) {
        const auto unknown = unpack_cluster_message(frame_of(legacy(type, bytes_of(16))), group());
        ASSERT_FALSE(unknown.has_value()) << type;
        EXPECT_EQ(unknown.error(), ClusterFrameFault::unknown_type);
    }
}
TEST_F(WireCluster, integer_cut_short_stays) {
    const auto odd = legacy(10, bytes_of(12));
    EXPECT_EQ(unpack_cluster_message(swapped(frame_of(odd), 8), group()), ClusterMessage{odd});
}
TEST_F(WireCluster, bit_maps_of_the_other_byte_order_are_swapped) {
    const auto checkpoint = legacy(21, pack_legacy_checkpoint({{7, 0, 0}, {1, 2, 3}, 40, 1}, 70));
    Bytes frame = swapped(frame_of(checkpoint), 0);
    for (std::size_t at = data_at; at < data_at + 24; at += 4)
        std::reverse(&frame[at], &frame[at] + 4);
    EXPECT_EQ(unpack_cluster_message(frame, group()), ClusterMessage{checkpoint});
}
TEST_F(WireCluster, our_own_data_is_never_swapped) {
    EXPECT_EQ(unpack_cluster_message(swapped(valid_, 0), group()), (ClusterMessage{Valid{0x1122}}));
}

// -- checkpoints of the field ----------------------------------------------------------------------

TEST_F(WireCluster, checkpoint_survives) {
    const LegacyCheckpoint checkpoint{{7, 0, 0}, {1, 2, 3}, 40, 1};
    EXPECT_EQ(unpack_legacy_checkpoint(pack_legacy_checkpoint(checkpoint, 70), 70), checkpoint);
}
TEST_F(WireCluster, map_of_32_regions_has_two_words) {
    EXPECT_EQ(pack_legacy_checkpoint({{1, 0}, {1, 0}, 0, 1}, 32).size(), 2U * 8 + 64);
}
TEST_F(WireCluster, words_that_are_left_out_are_zero) {
    const auto checkpoint = unpack_legacy_checkpoint(pack_legacy_checkpoint({{7}, {}, 40, 1}, 70), 70);
    EXPECT_EQ(checkpoint->sync_words, (std::vector<std::uint32_t>{7, 0, 0}));
}
TEST_F(WireCluster, checkpoint_of_another_number_of_regions_is_refused) {
    EXPECT_FALSE(unpack_legacy_checkpoint(pack_legacy_checkpoint({{7}, {1}, 40, 1}, 70), 96).has_value());
}
TEST_F(WireCluster, checkpoint_for_more_regions_than_fit_is_refused) {
    const auto regions_max = std::numeric_limits<std::uint64_t>::max();
    EXPECT_FALSE(unpack_legacy_checkpoint(pack_legacy_checkpoint({{7}, {1}, 40, 1}, 70), regions_max).has_value());
}
TEST_F(WireCluster, checkpoint_without_its_text_is_refused) {
    EXPECT_FALSE(unpack_legacy_checkpoint(bytes_of(63), 70).has_value());
}
TEST_F(WireCluster, recovering_region_that_is_no_number_is_refused) {
    auto data = pack_legacy_checkpoint({{7}, {1}, 40, 1}, 70);
    data[24] = std::byte{'-'};
    EXPECT_FALSE(unpack_legacy_checkpoint(data, 70).has_value());
}
TEST_F(WireCluster, recoverer_that_is_missing_is_refused) {
    auto data = pack_legacy_checkpoint({{7}, {1}, 40, 1}, 70);
    data[26] = std::byte{0};
    EXPECT_FALSE(unpack_legacy_checkpoint(data, 70).has_value());
}
TEST_F(WireCluster, text_behind_the_recoverer_is_refused) {
    auto data = pack_legacy_checkpoint({{7}, {1}, 40, 1}, 70);
    data[28] = std::byte{'x'};
    EXPECT_FALSE(unpack_legacy_checkpoint(data, 70).has_value());
}

}  // namespace
}  // namespace cmirror::wire_test
