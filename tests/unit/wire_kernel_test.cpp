#include "messages/wire_kernel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace cmirror {
namespace {

// Where fields lie in a frame (spec/kernel.md, "Transport").
constexpr std::size_t netlink_length_at = 0;
constexpr std::size_t netlink_type_at = 4;
constexpr std::size_t connector_index_at = 16;
constexpr std::size_t connector_ack_at = 28;
constexpr std::size_t connector_length_at = 32;
constexpr std::size_t uuid_at = 44;
constexpr std::size_t request_version_at = 176;
constexpr std::size_t request_error_at = 180;
constexpr std::size_t request_type_at = 188;
constexpr std::size_t data_size_at = 192;
constexpr std::size_t data_at = 196;

KernelRequest request_of(RequestType type, RequestPayload payload) {
    return {.seq = 9,
            .type = type,
            .version = 2,
            .luid = 0xABCD,
            .uuid = *Uuid::from_text("LVM-a"),
            .payload = std::move(payload)};
}

RegionList regions_of(std::size_t count) {
    RegionList regions;
    for (std::size_t i = 0; i < count; ++i)
        regions.push_back(100 + i);
    return regions;
}

std::vector<std::byte> frame_of(const KernelRequest& request) {
    std::vector<std::byte> frame(kernel_frame_size_max);
    frame.resize(pack_kernel_request(request, frame));
    return frame;
}

template <class Value>
void set(std::vector<std::byte>& frame, std::size_t offset, Value value) {
    std::memcpy(&frame.at(offset), &value, sizeof value);
}

/// Sets every size in the headers so that `count` bytes of data are counted.
void set_data_size(std::vector<std::byte>& frame, std::size_t count) {
    frame.resize(data_at + count);
    set(frame, netlink_length_at, static_cast<std::uint32_t>(frame.size()));
    set(frame, connector_length_at, static_cast<std::uint16_t>(160 + count));
    set(frame, data_size_at, static_cast<std::uint32_t>(count));
}

KernelFrameFault fault_of(const std::vector<std::byte>& frame) {
    const auto request = unpack_kernel_request(frame);
    EXPECT_FALSE(request.has_value());
    return request ? KernelFrameFault{} : request.error().fault;
}

bool is_answerable(const std::vector<std::byte>& frame) {
    const auto request = unpack_kernel_request(frame);
    return !request && request.error().answer_to.has_value();
}

RequestPayload after_the_wire(RequestType type, RequestPayload payload) {
    const auto request = unpack_kernel_request(frame_of(request_of(type, std::move(payload))));
    EXPECT_TRUE(request.has_value());
    return request ? request->payload : RequestPayload{};
}

class WireKernel : public testing::Test {
  protected:
    std::vector<std::byte> in_sync_ = frame_of(request_of(RequestType::in_sync, RegionNumber{7}));
    std::vector<std::byte> mark_ = frame_of(request_of(RequestType::mark_region, regions_of(2)));
    std::vector<std::byte> resume_ = frame_of(request_of(RequestType::resume, {}));
    std::vector<std::byte> constructor_ =
        frame_of(request_of(RequestType::ctr, ConstructorText{"1 clustered-core", false}));
    std::array<std::byte, kernel_frame_size_max> out_{};
};

TEST_F(WireKernel, names_are_those_of_the_kernel) {
    EXPECT_EQ(name_of(RequestType::mark_region), "MARK_REGION");
}
TEST_F(WireKernel, last_name_is_is_remote_recovering) {
    EXPECT_EQ(name_of(RequestType::is_remote_recovering), "IS_REMOTE_RECOVERING");
}
TEST_F(WireKernel, every_fault_has_a_name) {
    EXPECT_EQ(name_of(KernelFrameFault::empty_uuid), "empty uuid");
}

// -- requests that are in order --------------------------------------------------------------------

TEST_F(WireKernel, seq_is_that_of_the_request) {
    EXPECT_EQ(unpack_kernel_request(in_sync_)->seq, 9U);
}
TEST_F(WireKernel, luid_is_that_of_the_request) {
    EXPECT_EQ(unpack_kernel_request(in_sync_)->luid, 0xABCDU);
}
TEST_F(WireKernel, version_is_that_of_the_request) {
    EXPECT_EQ(unpack_kernel_request(in_sync_)->version, 2U);
}
TEST_F(WireKernel, uuid_is_that_of_the_request) {
    EXPECT_EQ(unpack_kernel_request(in_sync_)->uuid.text(), "LVM-a");
}
TEST_F(WireKernel, uuid_of_128_characters_is_taken) {
    auto request = request_of(RequestType::resume, {});
    request.uuid = *Uuid::from_text(std::string(128, 'u'));
    EXPECT_EQ(unpack_kernel_request(frame_of(request))->uuid, request.uuid);
}
TEST_F(WireKernel, type_is_that_of_the_request) {
    EXPECT_EQ(unpack_kernel_request(in_sync_)->type, RequestType::in_sync);
}
TEST_F(WireKernel, reserved_bits_of_the_type_are_ignored) {
    set(in_sync_, request_type_at, std::uint32_t{0xFF00 | 8});
    EXPECT_EQ(unpack_kernel_request(in_sync_)->type, RequestType::in_sync);
}
TEST_F(WireKernel, region_is_read) {
    EXPECT_EQ(after_the_wire(RequestType::is_clean, RegionNumber{41}), RequestPayload{RegionNumber{41}});
}
TEST_F(WireKernel, as_many_regions_as_a_request_can_hold_are_read) {
    const auto regions = regions_of(RegionList::capacity);
    EXPECT_EQ(after_the_wire(RequestType::clear_region, regions), RequestPayload{regions});
}
TEST_F(WireKernel, flush_may_have_no_regions) {
    EXPECT_EQ(after_the_wire(RequestType::flush, RegionList{}), RequestPayload{RegionList{}});
}
TEST_F(WireKernel, flush_may_carry_marks) {
    EXPECT_EQ(after_the_wire(RequestType::flush, regions_of(3)), RequestPayload{regions_of(3)});
}
TEST_F(WireKernel, recovered_region_is_read) {
    EXPECT_EQ(after_the_wire(RequestType::set_region_sync, RegionSync{5, true}), (RequestPayload{RegionSync{5, true}}));
}
TEST_F(WireKernel, any_value_but_0_says_in_sync) {
    auto frame = frame_of(request_of(RequestType::set_region_sync, RegionSync{5, false}));
    set(frame, data_at + 8, std::int64_t{-1});
    EXPECT_EQ(unpack_kernel_request(frame)->payload, (RequestPayload{RegionSync{5, true}}));
}

// -- constructors ----------------------------------------------------------------------------------

TEST_F(WireKernel, constructor_that_does_not_count_its_nul_is_a_first_one) {
    EXPECT_EQ(unpack_kernel_request(constructor_)->payload,
              (RequestPayload{ConstructorText{"1 clustered-core", false}}));
}
TEST_F(WireKernel, constructor_that_counts_its_nul_is_a_reconnect) {
    const ConstructorText text{"1 clustered-core", true};
    EXPECT_EQ(after_the_wire(RequestType::ctr, text), RequestPayload{text});
}
TEST_F(WireKernel, first_constructor_may_end_with_the_datagram) {
    // 16 characters fill the last word, so the kernel adds no padding.
    EXPECT_EQ(constructor_.size(), data_at + 16);
}
TEST_F(WireKernel, constructor_followed_by_another_byte_is_unterminated) {
    constructor_.push_back(std::byte{'x'});
    EXPECT_EQ(fault_of(constructor_), KernelFrameFault::unterminated_text);
}
TEST_F(WireKernel, constructor_with_a_nul_inside_is_refused) {
    constructor_.at(data_at + 1) = std::byte{0};
    EXPECT_EQ(fault_of(constructor_), KernelFrameFault::wrong_data_size);
}
TEST_F(WireKernel, constructor_without_text_is_refused) {
    set_data_size(constructor_, 0);
    EXPECT_EQ(fault_of(constructor_), KernelFrameFault::wrong_data_size);
}
TEST_F(WireKernel, constructor_of_a_nul_alone_is_refused) {
    constructor_.at(data_at) = std::byte{0};
    set_data_size(constructor_, 1);
    EXPECT_EQ(fault_of(constructor_), KernelFrameFault::wrong_data_size);
}

// -- sizes of the data -----------------------------------------------------------------------------

TEST_F(WireKernel, mark_without_regions_is_refused) {
    set_data_size(mark_, 0);
    EXPECT_EQ(fault_of(mark_), KernelFrameFault::wrong_data_size);
}
TEST_F(WireKernel, mark_with_half_a_region_is_refused) {
    set_data_size(mark_, 12);
    EXPECT_EQ(fault_of(mark_), KernelFrameFault::wrong_data_size);
}
TEST_F(WireKernel, mark_with_too_many_regions_is_refused) {
    set_data_size(mark_, (RegionList::capacity + 1) * 8);
    EXPECT_EQ(fault_of(mark_), KernelFrameFault::wrong_data_size);
}
TEST_F(WireKernel, in_sync_of_two_regions_is_refused) {
    set_data_size(in_sync_, 16);
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::wrong_data_size);
}
TEST_F(WireKernel, resume_with_data_is_refused) {
    set_data_size(resume_, 8);
    EXPECT_EQ(fault_of(resume_), KernelFrameFault::wrong_data_size);
}
TEST_F(WireKernel, wrong_data_size_is_answerable) {
    set_data_size(resume_, 8);
    EXPECT_TRUE(is_answerable(resume_));
}
TEST_F(WireKernel, data_that_is_not_counted_is_refused) {
    set(in_sync_, data_size_at, std::uint32_t{0});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::wrong_data_size);
}

// -- frames that are not in order ------------------------------------------------------------------

TEST_F(WireKernel, empty_datagram_is_short) {
    EXPECT_EQ(fault_of({}), KernelFrameFault::short_frame);
}
TEST_F(WireKernel, datagram_without_its_last_byte_is_short) {
    in_sync_.pop_back();
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::short_frame);
}
TEST_F(WireKernel, short_frame_is_dropped) {
    in_sync_.pop_back();
    EXPECT_FALSE(is_answerable(in_sync_));
}
TEST_F(WireKernel, netlink_length_below_its_headers_is_short) {
    set(in_sync_, netlink_length_at, std::uint32_t{35});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::short_frame);
}
TEST_F(WireKernel, connector_length_past_the_netlink_message_is_short) {
    set(in_sync_, connector_length_at, std::uint16_t{0xFFFF});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::short_frame);
}
TEST_F(WireKernel, bytes_behind_the_netlink_message_are_not_the_connectors) {
    in_sync_.resize(in_sync_.size() + 8);
    set(in_sync_, connector_length_at, std::uint16_t{160 + 16});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::short_frame);
}
TEST_F(WireKernel, connector_length_below_the_request_is_short) {
    set(in_sync_, connector_length_at, std::uint16_t{159});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::short_frame);
}
TEST_F(WireKernel, data_size_past_the_datagram_is_short) {
    set(in_sync_, data_size_at, std::uint32_t{0xFFFFFFFF});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::short_frame);
}
TEST_F(WireKernel, data_that_is_not_there_is_answerable) {
    set(in_sync_, data_size_at, std::uint32_t{16});
    EXPECT_TRUE(is_answerable(in_sync_));
}
TEST_F(WireKernel, other_netlink_type_is_not_of_the_connector) {
    set(in_sync_, netlink_type_at, std::uint16_t{2});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::not_connector);
}
TEST_F(WireKernel, other_connector_id_is_not_of_the_connector) {
    set(in_sync_, connector_index_at, std::uint32_t{8});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::not_connector);
}
TEST_F(WireKernel, bare_acknowledgement_is_not_a_request) {
    std::vector<std::byte> frame(out_.begin(), out_.begin() + static_cast<int>(pack_kernel_resend(9, out_)));
    std::copy_n(out_.begin(), frame.size(), frame.begin());
    EXPECT_EQ(fault_of(frame), KernelFrameFault::not_a_request);
}
TEST_F(WireKernel, frame_that_acknowledges_is_not_a_request) {
    set(in_sync_, connector_ack_at, std::uint32_t{9});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::not_a_request);
}
TEST_F(WireKernel, frame_with_an_error_is_not_a_request) {
    set(in_sync_, request_error_at, std::int32_t{-EINVAL});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::not_a_request);
}
TEST_F(WireKernel, reply_is_dropped) {
    set(in_sync_, connector_ack_at, std::uint32_t{9});
    EXPECT_FALSE(is_answerable(in_sync_));
}
TEST_F(WireKernel, uuid_of_129_characters_is_unterminated) {
    std::fill_n(in_sync_.begin() + uuid_at, 129, std::byte{'u'});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::unterminated_uuid);
}
TEST_F(WireKernel, empty_uuid_is_refused) {
    in_sync_.at(uuid_at) = std::byte{0};
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::empty_uuid);
}
TEST_F(WireKernel, version_0_is_unknown) {
    set(in_sync_, request_version_at, std::uint32_t{0});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::unknown_version);
}
TEST_F(WireKernel, version_0_is_answerable) {
    set(in_sync_, request_version_at, std::uint32_t{0});
    EXPECT_TRUE(is_answerable(in_sync_));
}
TEST_F(WireKernel, version_4_is_taken) {
    set(in_sync_, request_version_at, std::uint32_t{4});
    EXPECT_TRUE(unpack_kernel_request(in_sync_).has_value());
}
TEST_F(WireKernel, type_0_is_unknown) {
    set(in_sync_, request_type_at, std::uint32_t{0});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::unknown_type);
}
TEST_F(WireKernel, type_18_is_unknown) {
    set(in_sync_, request_type_at, std::uint32_t{18});
    EXPECT_EQ(fault_of(in_sync_), KernelFrameFault::unknown_type);
}
TEST_F(WireKernel, unknown_type_is_answered_with_its_own_number) {
    set(in_sync_, request_type_at, std::uint32_t{18});
    EXPECT_EQ(unpack_kernel_request(in_sync_).error().answer_to->raw_type, 18U);
}

// -- replies ---------------------------------------------------------------------------------------

TEST_F(WireKernel, reply_carries_exactly_its_payload) {
    const KernelReply reply{9, RequestType::get_resync_work, 1, 0, FlagAndRegion{1, 40}};
    EXPECT_EQ(pack_kernel_reply(reply, out_), data_at + 16);
}
TEST_F(WireKernel, reply_with_an_error_carries_no_payload) {
    const KernelReply reply{9, RequestType::get_sync_count, 1, -EIO, std::uint64_t{40}};
    EXPECT_EQ(pack_kernel_reply(reply, out_), data_at);
}
TEST_F(WireKernel, text_of_a_reply_has_no_nul_of_its_own) {
    const KernelReply reply{9, RequestType::status_info, 1, 0, std::string("1 clustered-core")};
    EXPECT_EQ(pack_kernel_reply(reply, out_), data_at + 16);
}
TEST_F(WireKernel, nul_that_is_part_of_the_text_is_sent) {
    const KernelReply reply{9, RequestType::ctr, 1, 0, std::string("7:0\0", 4)};
    EXPECT_EQ(pack_kernel_reply(reply, out_), data_at + 4);
}
TEST_F(WireKernel, error_of_a_reply_is_sent) {
    const std::size_t size = pack_kernel_reply({9, RequestType::resume, 1, -ESRCH, {}}, out_);
    EXPECT_EQ(unpack_kernel_reply(std::span(out_).first(size))->error, -ESRCH);
}
TEST_F(WireKernel, unknown_log_leaves_the_kernel_room_for_the_answer_of_the_resend) {
    for (const auto& [type, room] : {std::pair{RequestType::in_sync, 8},
                                     {RequestType::get_sync_count, 8},
                                     {RequestType::get_region_size, 8},
                                     {RequestType::is_clean, 8},
                                     {RequestType::get_resync_work, 16},
                                     {RequestType::is_remote_recovering, 16},
                                     {RequestType::status_info, 128},
                                     {RequestType::mark_region, 0},
                                     {RequestType::flush, 0},
                                     {RequestType::resume, 0}})
        EXPECT_EQ(pack_kernel_reply({9, type, 1, -ESRCH, {}}, out_), data_at + static_cast<std::size_t>(room))
            << name_of(type);
}
TEST_F(WireKernel, room_for_the_answer_of_the_resend_is_zeroed) {
    std::ranges::fill(out_, std::byte{0xff});
    pack_kernel_reply({9, RequestType::in_sync, 1, -ESRCH, {}}, out_);
    EXPECT_TRUE(
        std::ranges::all_of(std::span(out_).subspan(data_at, 8), [](std::byte b) { return b == std::byte{0}; }));
}
TEST_F(WireKernel, refusal_says_einval) {
    const std::size_t size = pack_kernel_refusal({9, 18, 1}, out_);
    EXPECT_EQ(unpack_kernel_reply(std::span(out_).first(size))->error, -EINVAL);
}
TEST_F(WireKernel, resend_says_eagain) {
    const std::size_t size = pack_kernel_resend(9, out_);
    EXPECT_EQ(unpack_kernel_reply(std::span(out_).first(size))->error, -EAGAIN);
}
TEST_F(WireKernel, resend_names_the_request) {
    const std::size_t size = pack_kernel_resend(9, out_);
    EXPECT_EQ(unpack_kernel_reply(std::span(out_).first(size))->seq, 9U);
}

}  // namespace
}  // namespace cmirror
