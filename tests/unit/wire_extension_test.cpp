// Our own messages, tunnelled through frames of the field.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "messages/wire_cluster.hpp"
#include "tests/unit/wire_cluster_frames.hpp"

namespace cmirror::wire_test {
namespace {

Ops one_op(Op op) {
    return {.token = 1, .first_seq = 2, .luid = 3, .ops = {op}};
}

class WireExtension : public testing::Test {
  protected:
    Bytes valid_ = frame_of(Valid{0x1122});
    Bytes ops_ = frame_of(one_op({OpKind::mark, 5, 1}));
    Bytes chunk_ = frame_of(StateChunk{1, 0, 1, bytes_of(4)});
    Bytes hello_ = frame_of(Hello{});
};

// -- our own messages ------------------------------------------------------------------------------

TEST_F(WireExtension, extension_is_a_checkpoint_for_no_node) {
    EXPECT_EQ(valid_[originator_at], std::byte{0xFF});
}
TEST_F(WireExtension, extension_starts_with_its_magic) {
    EXPECT_EQ(std::memcmp(&valid_[data_at], "CMIRROR1", 8), 0);
}
TEST_F(WireExtension, fields_lie_little_endian) {
    EXPECT_EQ(valid_[fields_at], std::byte{0x22});
}
TEST_F(WireExtension, op_is_17_bytes) {
    Ops two = one_op({OpKind::mark, 5, 1});
    two.ops.push_back({OpKind::clear, 5, 1});
    EXPECT_EQ(frame_of(two).size(), ops_.size() + 17);
}
TEST_F(WireExtension, checkpoint_without_our_magic_is_the_fields) {
    valid_[data_at] = std::byte{'X'};
    EXPECT_TRUE(std::holds_alternative<LegacyFrame>(*unpack_cluster_message(valid_, group())));
}
TEST_F(WireExtension, checkpoint_for_a_node_is_the_fields) {
    valid_[originator_at] = std::byte{1};
    EXPECT_TRUE(std::holds_alternative<LegacyFrame>(*unpack_cluster_message(valid_, group())));
}
TEST_F(WireExtension, another_format_version_is_unknown) {
    valid_[format_version_at] = std::byte{2};
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::unknown_extension);
}
TEST_F(WireExtension, another_kind_is_unknown) {
    valid_[kind_at] = std::byte{10};
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::unknown_extension);
}
TEST_F(WireExtension, extension_without_version_and_kind_is_bad) {
    set_size(valid_, 8);
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, extension_that_ends_early_is_bad) {
    set_size(valid_, 12 + 15);
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, bytes_behind_the_fields_are_bad) {
    set_size(valid_, 12 + 17);
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, extension_beyond_the_largest_frame_is_bad) {
    // 2400 confirmations that are all zero, so sound but for their number.
    Bytes frame = frame_of(Confirm{});
    set_size(frame, 12 + 4 + 2400 * std::size_t{28});
    frame[fields_at] = std::byte{2400 & 0xFF};
    frame[fields_at + 1] = std::byte{2400 >> 8};
    EXPECT_EQ(fault_of(frame), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, flag_of_another_value_is_bad) {
    hello_[hello_.size() - 5] = std::byte{2};  // before the 4 bytes of the version
    EXPECT_EQ(fault_of(hello_), ClusterFrameFault::bad_extension);
}

// -- ops -------------------------------------------------------------------------------------------

constexpr std::size_t ops_count_at = fields_at + 24;
constexpr std::size_t op_at = ops_count_at + 4;

TEST_F(WireExtension, op_20_is_known) {
    ops_[op_at] = std::byte{20};
    EXPECT_TRUE(unpack_cluster_message(ops_, group()).has_value());
}
TEST_F(WireExtension, op_21_is_bad) {
    ops_[op_at] = std::byte{21};
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, op_0_is_bad) {
    ops_[op_at] = std::byte{0};
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, node_that_is_gone_survives) {
    const auto ops = one_op({OpKind::node_gone, std::numeric_limits<NodeId>::max(), 1});
    EXPECT_EQ(after_the_wire(ops), ClusterMessage{ops});
}
TEST_F(WireExtension, node_that_is_gone_and_has_no_node_id_is_bad) {
    ops_[op_at] = static_cast<std::byte>(OpKind::node_gone);
    ops_[op_at + 5] = std::byte{1};
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, op_of_no_regions_is_bad) {
    ops_[op_at + 9] = std::byte{0};
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, op_past_the_last_region_number_is_bad) {
    std::fill_n(ops_.begin() + op_at + 1, 8, std::byte{0xFF});
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, op_up_to_the_last_region_number_is_sound) {
    const auto ops = one_op({OpKind::mark, 1, std::numeric_limits<std::uint64_t>::max() - 1});
    EXPECT_EQ(after_the_wire(ops), ClusterMessage{ops});
}
TEST_F(WireExtension, numbers_of_ops_that_overflow_are_bad) {
    std::fill_n(ops_.begin() + fields_at + 8, 8, std::byte{0xFF});
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, more_ops_than_there_are_bytes_are_bad) {
    ops_[ops_count_at] = std::byte{2};
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, as_many_ops_as_allowed_survive) {
    auto ops = one_op({OpKind::mark, 5, 1});
    ops.ops.resize(ops_count_max, ops.ops.front());
    EXPECT_EQ(after_the_wire(ops), ClusterMessage{ops});
}
TEST_F(WireExtension, one_op_more_than_allowed_is_bad) {
    auto ops = one_op({OpKind::mark, 5, 1});
    ops.ops.resize(ops_count_max, ops.ops.front());
    Bytes frame = frame_of(ops);
    set_size(frame, frame.size() - data_at + 17);
    std::copy_n(frame.begin() + op_at, 17, frame.end() - 17);
    frame[ops_count_at] = std::byte{1};
    EXPECT_EQ(fault_of(frame), ClusterFrameFault::bad_extension);
}

// -- chunks and confirmations ----------------------------------------------------------------------

TEST_F(WireExtension, largest_chunk_survives) {
    const StateChunk chunk{1, 0, 1, bytes_of(state_chunk_size_max)};
    EXPECT_EQ(after_the_wire(chunk), ClusterMessage{chunk});
}
TEST_F(WireExtension, chunk_that_is_larger_than_allowed_is_bad) {
    Bytes frame = frame_of(StateChunk{1, 0, 1, bytes_of(state_chunk_size_max)});
    set_size(frame, frame.size() - data_at + 1);
    frame[fields_at + 16] = std::byte{1};
    EXPECT_EQ(fault_of(frame), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, chunk_of_more_bytes_than_there_are_is_bad) {
    chunk_[fields_at + 16] = std::byte{5};
    EXPECT_EQ(fault_of(chunk_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, chunk_behind_the_last_one_is_bad) {
    chunk_[fields_at + 8] = std::byte{1};
    EXPECT_EQ(fault_of(chunk_), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, more_confirmations_than_there_are_bytes_are_bad) {
    Bytes frame = frame_of(Confirm{{{{1, 2}, 3, 4, -5}}});
    frame[fields_at + 3] = std::byte{0xFF};
    EXPECT_EQ(fault_of(frame), ClusterFrameFault::bad_extension);
}
TEST_F(WireExtension, confirmation_with_a_positive_error_is_bad) {
    Bytes frame = frame_of(Confirm{{{{1, 2}, 3, 4, 0}}});
    frame[frame.size() - 4] = std::byte{5};
    EXPECT_EQ(fault_of(frame), ClusterFrameFault::bad_extension);
}

}  // namespace
}  // namespace cmirror::wire_test
