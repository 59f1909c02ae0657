#include "messages/wire_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include "messages/invariant.hpp"
#include "messages/kernel_payload.hpp"

// All integers are in the host's byte order: both ends are the same machine.

namespace cmirror {
namespace {

constexpr std::uint16_t netlink_done = 3;
constexpr std::uint32_t connector_index = 7;
constexpr std::uint32_t connector_value = 1;
/// The request type proper; the kernel reserves the other bits (linux/dm-log-userspace.h, DM_ULOG_REQUEST_TYPE).
constexpr std::uint32_t type_mask = 0xFF;
/// The newest interface that we speak: a FLUSH may carry regions.
constexpr std::uint32_t interface_version = 3;
constexpr std::size_t netlink_alignment = 4;

/// nlmsghdr and cn_msg.
struct ConnectorHeader {
    std::uint32_t netlink_length;
    std::uint16_t netlink_type;
    std::uint16_t netlink_flags;
    std::uint32_t netlink_seq;
    std::uint32_t netlink_port;
    std::uint32_t index;
    std::uint32_t value;
    std::uint32_t seq;
    std::uint32_t ack;
    std::uint16_t length;
    std::uint16_t flags;
};
static_assert(sizeof(ConnectorHeader) == 36);
static_assert(offsetof(ConnectorHeader, netlink_length) == 0);
static_assert(offsetof(ConnectorHeader, netlink_type) == 4);
static_assert(offsetof(ConnectorHeader, netlink_flags) == 6);
static_assert(offsetof(ConnectorHeader, netlink_seq) == 8);
static_assert(offsetof(ConnectorHeader, netlink_port) == 12);
static_assert(offsetof(ConnectorHeader, index) == 16);
static_assert(offsetof(ConnectorHeader, value) == 20);
static_assert(offsetof(ConnectorHeader, seq) == 24);
static_assert(offsetof(ConnectorHeader, ack) == 28);
static_assert(offsetof(ConnectorHeader, length) == 32);
static_assert(offsetof(ConnectorHeader, flags) == 34);

/// dm_ulog_request.
struct RequestHeader {
    std::uint64_t luid;
    std::array<char, 129> uuid;
    std::array<char, 3> padding;
    std::uint32_t version;
    std::int32_t error;
    std::uint32_t seq;
    std::uint32_t type;
    std::uint32_t data_size;
};
static_assert(sizeof(RequestHeader) == 160);
static_assert(offsetof(RequestHeader, luid) == 0);
static_assert(offsetof(RequestHeader, uuid) == 8);
static_assert(offsetof(RequestHeader, padding) == 137);
static_assert(offsetof(RequestHeader, version) == 140);
static_assert(offsetof(RequestHeader, error) == 144);
static_assert(offsetof(RequestHeader, seq) == 148);
static_assert(offsetof(RequestHeader, type) == 152);
static_assert(offsetof(RequestHeader, data_size) == 156);

constexpr std::size_t headers_size = sizeof(ConnectorHeader) + sizeof(RequestHeader);

template <class Value>
Value read_at(std::span<const std::byte> bytes, std::size_t offset) {
    static_assert(std::is_trivially_copyable_v<Value>);
    CMIRROR_INVARIANT(offset <= bytes.size() && sizeof(Value) <= bytes.size() - offset);
    Value value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

template <class Value>
void write_at(std::span<std::byte> out, std::size_t offset, const Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    CMIRROR_INVARIANT(offset <= out.size() && sizeof(Value) <= out.size() - offset);
    std::memcpy(out.data() + offset, &value, sizeof value);
}

/// What of a datagram is the connector's message, sizes checked.
struct ConnectorMessage {
    ConnectorHeader header{};
    /// Exactly the bytes that cn_msg.len counts.
    std::span<const std::byte> body;
};

Result<ConnectorMessage, KernelFrameFault> unpack_connector(std::span<const std::byte> frame) {
    if (frame.size() < sizeof(ConnectorHeader)) return Failure<KernelFrameFault>(KernelFrameFault::short_frame);
    const auto header = read_at<ConnectorHeader>(frame, 0);
    if (header.netlink_length > frame.size() || header.netlink_length < sizeof(ConnectorHeader))
        return Failure<KernelFrameFault>(KernelFrameFault::short_frame);
    if (header.netlink_type != netlink_done || header.index != connector_index || header.value != connector_value)
        return Failure<KernelFrameFault>(KernelFrameFault::not_connector);
    if (header.length > header.netlink_length - sizeof(ConnectorHeader))
        return Failure<KernelFrameFault>(KernelFrameFault::short_frame);
    return ConnectorMessage{header, frame.subspan(sizeof(ConnectorHeader), header.length)};
}

Result<Uuid, KernelFrameFault> unpack_uuid(const std::array<char, 129>& field) {
    const auto* const end = static_cast<const char*>(std::memchr(field.data(), 0, field.size()));
    if (end == nullptr) return Failure<KernelFrameFault>(KernelFrameFault::unterminated_uuid);
    const auto uuid = Uuid::from_text({field.data(), static_cast<std::size_t>(end - field.data())});
    if (!uuid) return Failure<KernelFrameFault>(KernelFrameFault::empty_uuid);
    return *uuid;
}

/// Fills `request`; or why it cannot.
std::optional<KernelFrameFault> unpack_request(const RequestHeader& header, std::span<const std::byte> data,
                                               std::span<const std::byte> behind, KernelRequest& request) {
    const auto uuid = unpack_uuid(header.uuid);
    if (!uuid) return uuid.error();
    // A newer interface is taken: it keeps what the older ones have, and the sizes below are checked anyway.
    if (header.version == 0) return KernelFrameFault::unknown_version;
    const std::uint32_t type_number = header.type & type_mask;
    if (type_number < static_cast<std::uint32_t>(RequestType::ctr) ||
        type_number > static_cast<std::uint32_t>(RequestType::is_remote_recovering))
        return KernelFrameFault::unknown_type;
    if (header.data_size > data.size()) return KernelFrameFault::short_frame;
    if (header.data_size < data.size()) return KernelFrameFault::wrong_data_size;

    request.seq = header.seq;
    request.type = static_cast<RequestType>(type_number);
    request.version = header.version;
    request.luid = header.luid;
    request.uuid = *uuid;
    auto payload = unpack_request_payload(request.type, data, behind);
    if (!payload) return payload.error();
    request.payload = std::move(*payload);
    return std::nullopt;
}

/// The request in the body of a frame, made where the caller wants it: it is large, and every IN_SYNC comes this way.
Result<KernelRequest, BadKernelFrame> unpack_body(const RequestHeader& header, std::span<const std::byte> data,
                                                  std::span<const std::byte> behind) {
    Result<KernelRequest, BadKernelFrame> unpacked;
    if (const auto fault = unpack_request(header, data, behind, *unpacked))
        unpacked = Failure<BadKernelFrame>({*fault, KernelReplyAddress{header.seq, header.type, header.luid}});
    return unpacked;
}

/// Writes the headers for `data_size` bytes of data and returns the size of the frame, without padding.
std::size_t write_headers(RequestHeader header, std::size_t data_size, std::uint32_t ack, std::span<std::byte> out) {
    CMIRROR_INVARIANT(out.size() >= kernel_frame_size_max);
    CMIRROR_INVARIANT(data_size <= kernel_frame_size_max - headers_size);
    const std::size_t size = headers_size + data_size;
    header.data_size = static_cast<std::uint32_t>(data_size);
    ConnectorHeader connector{};
    connector.netlink_length = static_cast<std::uint32_t>(size);
    connector.netlink_type = netlink_done;
    connector.netlink_seq = header.seq;
    connector.index = connector_index;
    connector.value = connector_value;
    connector.seq = header.seq;
    connector.ack = ack;
    connector.length = static_cast<std::uint16_t>(sizeof(RequestHeader) + data_size);
    write_at(out, 0, connector);
    write_at(out, sizeof(ConnectorHeader), header);
    return size;
}

std::size_t pack_answer(const KernelReplyAddress& address, std::int32_t error, std::size_t data_size,
                        std::span<std::byte> out) {
    RequestHeader header{};
    header.luid = address.luid;
    header.version = interface_version;
    header.error = error;
    header.seq = address.seq;
    header.type = address.raw_type;
    return write_headers(header, data_size, address.seq, out);
}

/// How much the kernel makes room for in the answer to a request; for a text, as much as any of ours needs.
std::size_t reply_size_of(RequestType type) {
    constexpr std::size_t status_size = 128;
    switch (type) {
        case RequestType::get_region_size:
        case RequestType::is_clean:
        case RequestType::in_sync:
        case RequestType::get_sync_count:
            return sizeof(std::uint64_t);
        case RequestType::get_resync_work:
        case RequestType::is_remote_recovering:
            return 2 * sizeof(std::uint64_t);
        case RequestType::status_info:
        case RequestType::status_table:
            return status_size;
        default:
            return 0;
    }
}

}  // namespace

std::string_view name_of(KernelFrameFault fault) {
    switch (fault) {
        case KernelFrameFault::short_frame:
            return "short frame";
        case KernelFrameFault::not_connector:
            return "not a frame of the connector";
        case KernelFrameFault::not_a_request:
            return "not a request";
        case KernelFrameFault::unterminated_uuid:
            return "unterminated uuid";
        case KernelFrameFault::empty_uuid:
            return "empty uuid";
        case KernelFrameFault::unknown_version:
            return "unknown version of the kernel interface";
        case KernelFrameFault::unknown_type:
            return "unknown request type";
        case KernelFrameFault::wrong_data_size:
            return "wrong data size";
        case KernelFrameFault::unterminated_text:
            return "unterminated constructor text";
    }
    return "unknown fault";
}

Result<KernelRequest, BadKernelFrame> unpack_kernel_request(std::span<const std::byte> frame) {
    const auto drop = [](KernelFrameFault fault) {
        return Failure<BadKernelFrame>(BadKernelFrame{fault, std::nullopt});
    };
    const auto message = unpack_connector(frame);
    if (!message) return drop(message.error());
    // A request of the kernel has ack 0; what has no body or another ack is the other half of the conversation.
    if (message->body.empty() || message->header.ack != 0) return drop(KernelFrameFault::not_a_request);
    if (message->body.size() < sizeof(RequestHeader)) return drop(KernelFrameFault::short_frame);
    const auto header = read_at<RequestHeader>(message->body, 0);
    const auto data = message->body.subspan(sizeof(RequestHeader));
    if (header.error != 0) return drop(KernelFrameFault::not_a_request);

    return unpack_body(header, data, frame.subspan(headers_size + data.size()));
}

std::size_t pack_kernel_reply(const KernelReply& reply, std::span<std::byte> out) {
    CMIRROR_INVARIANT(out.size() >= kernel_frame_size_max);
    const auto data = out.first(kernel_frame_size_max).subspan(headers_size);
    std::size_t data_size = 0;
    if (reply.error == 0) {
        data_size = pack_reply_payload(reply.payload, data);
    } else if (reply.error == -ESRCH) {
        data_size = reply_size_of(reply.type);
        std::ranges::fill(data.first(data_size), std::byte{0});
    }
    const KernelReplyAddress address{reply.seq, static_cast<std::uint32_t>(reply.type), reply.luid};
    return pack_answer(address, reply.error, data_size, out);
}

std::size_t pack_kernel_refusal(const KernelReplyAddress& address, std::span<std::byte> out) {
    return pack_answer(address, -EINVAL, 0, out);
}

std::size_t pack_kernel_resend(std::uint32_t seq, std::span<std::byte> out) {
    CMIRROR_INVARIANT(out.size() >= sizeof(ConnectorHeader));
    ConnectorHeader connector{};
    connector.netlink_length = sizeof(ConnectorHeader);
    connector.netlink_type = netlink_done;
    connector.netlink_seq = seq;
    connector.index = connector_index;
    connector.value = connector_value;
    connector.seq = seq;
    connector.ack = EAGAIN;
    write_at(out, 0, connector);
    return sizeof(ConnectorHeader);
}

std::size_t pack_kernel_request(const KernelRequest& request, std::span<std::byte> out) {
    CMIRROR_INVARIANT(out.size() >= kernel_frame_size_max);
    RequestHeader header{};
    header.luid = request.luid;
    const std::string_view uuid = request.uuid.text();
    std::memcpy(header.uuid.data(), uuid.data(), uuid.size());
    header.version = request.version;
    header.seq = request.seq;
    header.type = static_cast<std::uint32_t>(request.type);
    const auto data = out.first(kernel_frame_size_max).subspan(headers_size);
    std::size_t size = write_headers(header, pack_request_payload(request.payload, data), 0, out);
    // The kernel pads its datagrams with zeros.
    for (; size % netlink_alignment != 0; ++size)
        out[size] = std::byte{0};
    return size;
}

std::optional<UnpackedKernelReply> unpack_kernel_reply(std::span<const std::byte> frame) {
    const auto message = unpack_connector(frame);
    if (!message) return std::nullopt;
    if (message->body.empty()) {
        const auto error = -static_cast<std::int64_t>(message->header.ack);
        return UnpackedKernelReply{message->header.seq, 0, 0, static_cast<std::int32_t>(error), {}};
    }
    if (message->body.size() < sizeof(RequestHeader)) return std::nullopt;
    const auto header = read_at<RequestHeader>(message->body, 0);
    const auto data = message->body.subspan(sizeof(RequestHeader));
    if (header.data_size != data.size()) return std::nullopt;
    return UnpackedKernelReply{header.seq, header.type, header.luid, header.error, data};
}

}  // namespace cmirror
