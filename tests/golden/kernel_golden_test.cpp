// Frames made from the kernel's own headers, against ours byte by byte.
#include <gtest/gtest.h>
#include <linux/connector.h>
#include <linux/dm-log-userspace.h>
#include <linux/netlink.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "messages/wire_kernel.hpp"

namespace cmirror {
namespace {

using Bytes = std::vector<std::byte>;

static_assert(static_cast<int>(RequestType::ctr) == DM_ULOG_CTR);
static_assert(static_cast<int>(RequestType::flush) == DM_ULOG_FLUSH);
static_assert(static_cast<int>(RequestType::is_remote_recovering) == DM_ULOG_IS_REMOTE_RECOVERING);
static_assert(Uuid::length_max == DM_UUID_LEN - 1);

template <class Header>
void append(Bytes& frame, const Header& header, std::size_t size = sizeof(Header)) {
    const auto bytes = std::as_bytes(std::span(&header, 1)).first(size);
    frame.insert(frame.end(), bytes.begin(), bytes.end());
}

/// nlmsghdr and cn_msg in front of `length` bytes.
Bytes connector_frame(std::uint32_t seq, std::uint32_t ack, std::size_t length) {
    nlmsghdr netlink{};
    netlink.nlmsg_len = static_cast<__u32>(NLMSG_LENGTH(sizeof(cn_msg) + length));
    netlink.nlmsg_type = NLMSG_DONE;
    netlink.nlmsg_seq = seq;
    std::array<std::byte, sizeof(cn_msg)> message{};
    const std::array<__u32, 4> ids{CN_IDX_DM, CN_VAL_DM_USERSPACE_LOG, seq, ack};
    const auto counted = static_cast<__u16>(length);
    std::memcpy(&message[offsetof(cn_msg, id)], ids.data(), sizeof ids);
    std::memcpy(&message[offsetof(cn_msg, len)], &counted, sizeof counted);
    Bytes frame;
    append(frame, netlink);
    frame.insert(frame.end(), message.begin(), message.end());
    return frame;
}

struct Told {
    std::uint32_t type = 0;
    std::string uuid;
    std::uint32_t version = 0;
    std::int32_t error = 0;
    std::uint32_t ack = 0;
};

Bytes frame_of(const Told& told, const Bytes& data) {
    std::array<std::byte, sizeof(dm_ulog_request)> request{};
    const auto put = [&](std::size_t offset, const auto& value) {
        std::memcpy(&request[offset], &value, sizeof value);
    };
    put(offsetof(dm_ulog_request, luid), __u64{0xFFFF888012345678});
    std::memcpy(&request[offsetof(dm_ulog_request, uuid)], told.uuid.data(), told.uuid.size());
    put(offsetof(dm_ulog_request, version), told.version);
    put(offsetof(dm_ulog_request, error), told.error);
    put(offsetof(dm_ulog_request, seq), __u32{77});
    put(offsetof(dm_ulog_request, request_type), told.type);
    put(offsetof(dm_ulog_request, data_size), static_cast<__u32>(data.size()));
    Bytes frame = connector_frame(77, told.ack, request.size() + data.size());
    frame.insert(frame.end(), request.begin(), request.end());
    frame.insert(frame.end(), data.begin(), data.end());
    return frame;
}

/// As the kernel sends it: padded with zeros to whole words.
Bytes request_of(std::uint32_t type, const Bytes& data) {
    Bytes frame = frame_of(
        {.type = type, .uuid = "LVM-golden01", .version = DM_ULOG_REQUEST_VERSION, .error = 0, .ack = 0}, data);
    frame.resize(NLMSG_ALIGN(frame.size()));
    return frame;
}

Bytes reply_of(std::uint32_t type, std::int32_t error, const Bytes& data) {
    return frame_of({.type = type, .uuid = {}, .version = DM_ULOG_REQUEST_VERSION, .error = error, .ack = 77}, data);
}

Bytes data_of(const std::vector<__u64>& values) {
    Bytes data;
    for (const __u64 value : values)
        append(data, value);
    return data;
}

Bytes text_of(const std::string& text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

KernelRequest ours(RequestType type, RequestPayload payload) {
    return {.seq = 77,
            .type = type,
            .version = DM_ULOG_REQUEST_VERSION,
            .luid = 0xFFFF888012345678,
            .uuid = *Uuid::from_text("LVM-golden01"),
            .payload = std::move(payload)};
}

Bytes packed(const KernelRequest& request) {
    Bytes out(kernel_frame_size_max, std::byte{0xEE});
    out.resize(pack_kernel_request(request, out));
    return out;
}

Bytes packed(RequestType type, std::int32_t error, ReplyPayload payload) {
    Bytes out(kernel_frame_size_max, std::byte{0xEE});
    out.resize(pack_kernel_reply({77, type, 0xFFFF888012345678, error, std::move(payload)}, out));
    return out;
}

RegionList regions(std::initializer_list<RegionNumber> numbers) {
    RegionList list;
    for (const RegionNumber number : numbers)
        list.push_back(number);
    return list;
}

TEST(KernelFrames, resume_is_the_kernels) {
    EXPECT_EQ(packed(ours(RequestType::resume, {})), request_of(DM_ULOG_RESUME, {}));
}
TEST(KernelFrames, in_sync_is_the_kernels) {
    EXPECT_EQ(packed(ours(RequestType::in_sync, RegionNumber{40})), request_of(DM_ULOG_IN_SYNC, data_of({40})));
}
TEST(KernelFrames, mark_is_the_kernels) {
    EXPECT_EQ(packed(ours(RequestType::mark_region, regions({0, 1, 2}))),
              request_of(DM_ULOG_MARK_REGION, data_of({0, 1, 2})));
}
TEST(KernelFrames, set_region_sync_is_the_kernels) {
    EXPECT_EQ(packed(ours(RequestType::set_region_sync, RegionSync{40, true})),
              request_of(DM_ULOG_SET_REGION_SYNC, data_of({40, 1})));
}
TEST(KernelFrames, first_constructor_does_not_count_its_nul) {
    const std::string text = "71680 clustered-core 1024";
    EXPECT_EQ(packed(ours(RequestType::ctr, ConstructorText{text, false})), request_of(DM_ULOG_CTR, text_of(text)));
}
TEST(KernelFrames, constructor_of_a_reconnect_counts_its_nul) {
    const std::string text = "71680 clustered-core 1024";
    EXPECT_EQ(packed(ours(RequestType::ctr, ConstructorText{text, true})),
              request_of(DM_ULOG_CTR, text_of(text + '\0')));
}
TEST(KernelFrames, kernels_request_is_read) {
    const auto request = unpack_kernel_request(request_of(DM_ULOG_CLEAR_REGION, data_of({5, 6})));
    EXPECT_EQ(request->payload, RequestPayload{regions({5, 6})});
}
TEST(KernelFrames, reply_without_payload_is_what_the_kernel_reads) {
    EXPECT_EQ(packed(RequestType::resume, 0, {}), reply_of(DM_ULOG_RESUME, 0, {}));
}
TEST(KernelFrames, reply_with_an_integer_is_what_the_kernel_reads) {
    EXPECT_EQ(packed(RequestType::get_sync_count, 0, std::uint64_t{3}),
              reply_of(DM_ULOG_GET_SYNC_COUNT, 0, data_of({3})));
}
TEST(KernelFrames, reply_with_a_pair_is_what_the_kernel_reads) {
    EXPECT_EQ(packed(RequestType::get_resync_work, 0, FlagAndRegion{1, 40}),
              reply_of(DM_ULOG_GET_RESYNC_WORK, 0, data_of({1, 40})));
}
TEST(KernelFrames, reply_with_text_is_what_the_kernel_reads) {
    EXPECT_EQ(packed(RequestType::status_info, 0, std::string("3 clustered-disk 7:0 A")),
              reply_of(DM_ULOG_STATUS_INFO, 0, text_of("3 clustered-disk 7:0 A")));
}
TEST(KernelFrames, reply_with_an_error_is_what_the_kernel_reads) {
    EXPECT_EQ(packed(RequestType::in_sync, -EINVAL, std::uint64_t{1}), reply_of(DM_ULOG_IN_SYNC, -EINVAL, {}));
}
TEST(KernelFrames, refusal_is_what_the_kernel_reads) {
    Bytes out(kernel_frame_size_max);
    out.resize(pack_kernel_refusal({77, 18, 0xFFFF888012345678}, out));
    EXPECT_EQ(out, reply_of(18, -EINVAL, {}));
}
TEST(KernelFrames, resend_is_a_bare_acknowledgement) {
    Bytes out(kernel_frame_size_max);
    out.resize(pack_kernel_resend(77, out));
    EXPECT_EQ(out, connector_frame(77, EAGAIN, 0));
}

}  // namespace
}  // namespace cmirror
