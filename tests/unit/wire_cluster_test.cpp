#include "messages/wire_cluster.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

namespace cmirror {
namespace {

using Bytes = std::vector<std::byte>;

// Where fields lie in a frame (spec/cluster-v5.md, "Frame") and in our own data.
constexpr std::size_t native_version_at = 8;
constexpr std::size_t originator_at = 16;
constexpr std::size_t uuid_at = 32;
constexpr std::size_t data_size_at = 180;
constexpr std::size_t data_at = 184;
constexpr std::size_t format_version_at = data_at + 8;
constexpr std::size_t kind_at = data_at + 10;
constexpr std::size_t fields_at = data_at + 12;

const Uuid& group() {
    static const Uuid uuid = *Uuid::from_text("LVM-golden01");
    return uuid;
}

Bytes frame_of(const ClusterMessage& message) {
    return pack_cluster_message(message, group());
}

ClusterMessage after_the_wire(const ClusterMessage& message) {
    const auto read = unpack_cluster_message(frame_of(message), group());
    EXPECT_TRUE(read.has_value());
    return read ? *read : ClusterMessage{};
}

ClusterFrameFault fault_of(const Bytes& frame) {
    const auto read = unpack_cluster_message(frame, group());
    EXPECT_FALSE(read.has_value());
    return read ? ClusterFrameFault{} : read.error();
}

void set_size(Bytes& frame, std::size_t data_size) {
    frame.resize(data_at + data_size);
    for (std::size_t i = 0; i < 4; ++i)
        frame[data_size_at + i] = static_cast<std::byte>(data_size >> (8 * i) & 0xFF);
}

/// The same frame as a sender of the other byte order writes it; `width` is that of the data's integers.
Bytes swapped(Bytes frame, std::size_t width) {
    const auto swap = [&](std::size_t at, std::size_t size) {
        std::reverse(frame.begin() + static_cast<std::ptrdiff_t>(at),
                     frame.begin() + static_cast<std::ptrdiff_t>(at + size));
    };
    swap(native_version_at, 8);
    for (const std::size_t at : {16, 20, 164, 168, 172, 176, 180})
        swap(at, 4);
    swap(24, 8);
    for (std::size_t at = data_at; width != 0 && at + width <= frame.size(); at += width)
        swap(at, width);
    return frame;
}

LegacyFrame legacy(std::uint32_t type, Bytes data) {
    return {
        .originator = 3, .pit_server = 0, .version = 2, .error = -5, .seq = 9, .type = type, .data = std::move(data)};
}

Bytes bytes_of(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(i + 1);
    return bytes;
}

Ops one_op(Op op) {
    return {.token = 1, .first_seq = 2, .luid = 3, .ops = {op}};
}

class WireCluster : public testing::Test {
  protected:
    Bytes legacy_ = frame_of(legacy(10, bytes_of(16)));
    Bytes valid_ = frame_of(Valid{0x1122});
    Bytes ops_ = frame_of(one_op({OpKind::mark, 5, 1}));
    Bytes chunk_ = frame_of(StateChunk{1, 0, 1, bytes_of(4)});
    Bytes hello_ = frame_of(Hello{});
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
TEST_F(WireCluster, data_of_an_unknown_type_stays) {
    const auto unknown = legacy(99, bytes_of(16));
    EXPECT_EQ(unpack_cluster_message(swapped(frame_of(unknown), 0), group()), ClusterMessage{unknown});
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

// -- our own messages ------------------------------------------------------------------------------

TEST_F(WireCluster, extension_is_a_checkpoint_for_no_node) {
    EXPECT_EQ(valid_[originator_at], std::byte{0xFF});
}
TEST_F(WireCluster, extension_starts_with_its_magic) {
    EXPECT_EQ(std::memcmp(&valid_[data_at], "CMIRROR1", 8), 0);
}
TEST_F(WireCluster, fields_lie_little_endian) {
    EXPECT_EQ(valid_[fields_at], std::byte{0x22});
}
TEST_F(WireCluster, op_is_17_bytes) {
    Ops two = one_op({OpKind::mark, 5, 1});
    two.ops.push_back({OpKind::clear, 5, 1});
    EXPECT_EQ(frame_of(two).size(), ops_.size() + 17);
}
TEST_F(WireCluster, checkpoint_without_our_magic_is_the_fields) {
    valid_[data_at] = std::byte{'X'};
    EXPECT_TRUE(std::holds_alternative<LegacyFrame>(*unpack_cluster_message(valid_, group())));
}
TEST_F(WireCluster, checkpoint_for_a_node_is_the_fields) {
    valid_[originator_at] = std::byte{1};
    EXPECT_TRUE(std::holds_alternative<LegacyFrame>(*unpack_cluster_message(valid_, group())));
}
TEST_F(WireCluster, another_format_version_is_unknown) {
    valid_[format_version_at] = std::byte{2};
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::unknown_extension);
}
TEST_F(WireCluster, another_kind_is_unknown) {
    valid_[kind_at] = std::byte{9};
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::unknown_extension);
}
TEST_F(WireCluster, extension_without_version_and_kind_is_bad) {
    set_size(valid_, 8);
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, extension_that_ends_early_is_bad) {
    set_size(valid_, 12 + 7);
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, bytes_behind_the_fields_are_bad) {
    set_size(valid_, 12 + 9);
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, extension_beyond_the_largest_frame_is_bad) {
    set_size(valid_, cluster_frame_size_max);
    EXPECT_EQ(fault_of(valid_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, flag_of_another_value_is_bad) {
    hello_.back() = std::byte{2};
    EXPECT_EQ(fault_of(hello_), ClusterFrameFault::bad_extension);
}

// -- ops -------------------------------------------------------------------------------------------

constexpr std::size_t ops_count_at = fields_at + 24;
constexpr std::size_t op_at = ops_count_at + 4;

TEST_F(WireCluster, op_15_is_known) {
    ops_[op_at] = std::byte{15};
    EXPECT_TRUE(unpack_cluster_message(ops_, group()).has_value());
}
TEST_F(WireCluster, op_16_is_bad) {
    ops_[op_at] = std::byte{16};
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, op_0_is_bad) {
    ops_[op_at] = std::byte{0};
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, op_of_no_regions_is_bad) {
    ops_[op_at + 9] = std::byte{0};
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, op_past_the_last_region_number_is_bad) {
    std::fill_n(ops_.begin() + op_at + 1, 8, std::byte{0xFF});
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, op_up_to_the_last_region_number_is_sound) {
    const auto ops = one_op({OpKind::mark, 1, std::numeric_limits<std::uint64_t>::max() - 1});
    EXPECT_EQ(after_the_wire(ops), ClusterMessage{ops});
}
TEST_F(WireCluster, numbers_of_ops_that_overflow_are_bad) {
    std::fill_n(ops_.begin() + fields_at + 8, 8, std::byte{0xFF});
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, more_ops_than_there_are_bytes_are_bad) {
    ops_[ops_count_at] = std::byte{2};
    EXPECT_EQ(fault_of(ops_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, as_many_ops_as_allowed_survive) {
    auto ops = one_op({OpKind::mark, 5, 1});
    ops.ops.resize(ops_count_max, ops.ops.front());
    EXPECT_EQ(after_the_wire(ops), ClusterMessage{ops});
}
TEST_F(WireCluster, one_op_more_than_allowed_is_bad) {
    auto ops = one_op({OpKind::mark, 5, 1});
    ops.ops.resize(ops_count_max, ops.ops.front());
    Bytes frame = frame_of(ops);
    set_size(frame, frame.size() - data_at + 17);
    std::copy_n(frame.begin() + op_at, 17, frame.end() - 17);
    frame[ops_count_at] = std::byte{1};
    EXPECT_EQ(fault_of(frame), ClusterFrameFault::bad_extension);
}

// -- chunks and confirmations ----------------------------------------------------------------------

TEST_F(WireCluster, largest_chunk_survives) {
    const StateChunk chunk{1, 0, 1, bytes_of(state_chunk_size_max)};
    EXPECT_EQ(after_the_wire(chunk), ClusterMessage{chunk});
}
TEST_F(WireCluster, chunk_that_is_larger_than_allowed_is_bad) {
    Bytes frame = frame_of(StateChunk{1, 0, 1, bytes_of(state_chunk_size_max)});
    set_size(frame, frame.size() - data_at + 1);
    frame[fields_at + 16] = std::byte{1};
    EXPECT_EQ(fault_of(frame), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, chunk_of_more_bytes_than_there_are_is_bad) {
    chunk_[fields_at + 16] = std::byte{5};
    EXPECT_EQ(fault_of(chunk_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, chunk_behind_the_last_one_is_bad) {
    chunk_[fields_at + 8] = std::byte{1};
    EXPECT_EQ(fault_of(chunk_), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, more_confirmations_than_there_are_bytes_are_bad) {
    Bytes frame = frame_of(Confirm{{{{1, 2}, 3, 4, -5}}});
    frame[fields_at + 3] = std::byte{0xFF};
    EXPECT_EQ(fault_of(frame), ClusterFrameFault::bad_extension);
}
TEST_F(WireCluster, confirmation_with_a_positive_error_is_bad) {
    Bytes frame = frame_of(Confirm{{{{1, 2}, 3, 4, 0}}});
    frame[frame.size() - 4] = std::byte{5};
    EXPECT_EQ(fault_of(frame), ClusterFrameFault::bad_extension);
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

// -- any message and any bytes ---------------------------------------------------------------------

template <class Number>
Number any() {
    return *rc::gen::arbitrary<Number>();
}

Bytes any_bytes(std::size_t size_max) {
    Bytes bytes(*rc::gen::inRange<std::size_t>(0, size_max + 1));
    for (auto& byte : bytes)
        byte = static_cast<std::byte>(any<std::uint8_t>());
    return bytes;
}

Op any_op() {
    const auto region = any<std::uint64_t>() >> 1U;
    const auto count = *rc::gen::inRange<std::uint64_t>(1, 1U << 20U);
    return {static_cast<OpKind>(*rc::gen::inRange(1, 16)), region, count};
}

ClusterMessage any_message() {
    switch (*rc::gen::inRange(0, 9)) {
        case 0: {
            Hello hello{any<std::uint64_t>(), {},         any<std::uint64_t>(), any<std::uint64_t>(),
                        any<std::uint64_t>(), any<bool>()};
            for (auto& byte : hello.boot)
                byte = any<std::uint8_t>();
            return hello;
        }
        case 1: {
            Ops ops{any<std::uint64_t>(), any<std::uint64_t>() >> 1U, any<std::uint64_t>(), {}};
            for (int i = *rc::gen::inRange(0, 20); i > 0; --i)
                ops.ops.push_back(any_op());
            return ops;
        }
        case 2: {
            Confirm confirm;
            for (int i = *rc::gen::inRange(0, 20); i > 0; --i)
                confirm.confirmations.push_back({{any<std::uint32_t>(), any<std::uint32_t>()},
                                                 any<std::uint64_t>(),
                                                 any<std::uint64_t>(),
                                                 -*rc::gen::inRange(0, 4096)});
            return confirm;
        }
        case 3:
            return StateBegin{any<std::uint64_t>()};
        case 4:
            return StateChunk{any<std::uint64_t>(), *rc::gen::inRange(0U, 9U), 9, any_bytes(64)};
        case 5:
            return Valid{any<std::uint64_t>()};
        case 6:
            return Standing{any<std::uint64_t>(), any<bool>(), any<bool>(), any<std::uint64_t>()};
        case 7:
            return StateDigest{any<std::uint64_t>(), any<std::uint64_t>()};
        default:
            return LegacyFrame{any<std::uint32_t>(), any<std::uint32_t>(), any<std::uint32_t>(), any<std::int32_t>(),
                               any<std::uint32_t>(), any<std::uint32_t>(), any_bytes(64)};
    }
}

RC_GTEST_PROP(WireClusterProperty, messages_survive_the_wire, ()) {
    const auto message = any_message();
    RC_ASSERT(unpack_cluster_message(frame_of(message), group()) == message);
}

RC_GTEST_PROP(WireClusterProperty, a_changed_frame_is_read_without_harm, ()) {
    Bytes frame = frame_of(any_message());
    const auto first = *rc::gen::element<std::size_t>(0, data_size_at, data_at);
    for (int i = *rc::gen::inRange(1, 6); i > 0; --i)
        frame[*rc::gen::inRange<std::size_t>(std::min(first, frame.size() - 1), frame.size())] =
            static_cast<std::byte>(any<std::uint8_t>());
    const Bytes exact(frame.begin(), frame.end());
    const auto message = unpack_cluster_message(exact, group());
    // What was accepted keeps every bound, so it can be sent as well.
    if (message) RC_ASSERT(unpack_cluster_message(frame_of(*message), group()) == *message);
}

RC_GTEST_PROP(WireClusterProperty, fields_of_any_bytes_are_read_without_harm, ()) {
    Bytes frame = frame_of(Valid{});
    const Bytes fields = any_bytes(80);
    set_size(frame, 12 + fields.size());
    frame[kind_at] = static_cast<std::byte>(*rc::gen::inRange(1, 9));
    std::copy(fields.begin(), fields.end(), frame.begin() + fields_at);
    const auto message = unpack_cluster_message(frame, group());
    if (message) RC_ASSERT(frame_of(*message) == frame);
}

RC_GTEST_PROP(WireClusterProperty, any_bytes_are_read_without_harm, ()) {
    const Bytes bytes = any_bytes(400);
    RC_ASSERT(!unpack_cluster_message(bytes, group()).has_value());
    static_cast<void>(unpack_legacy_checkpoint(bytes, *rc::gen::inRange<std::uint64_t>(0, 2000)));
}

}  // namespace
}  // namespace cmirror
