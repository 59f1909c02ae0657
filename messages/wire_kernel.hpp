// The frames of the kernel's connector: nlmsghdr, cn_msg, dm_ulog_request, payload (spec/kernel.md, "Transport").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "messages/kernel_request.hpp"
#include "messages/result.hpp"

namespace cmirror {

/// The largest datagram that is ever a request, headers of the connector included.
inline constexpr std::size_t kernel_frame_size_max = 1024;

enum class KernelFrameFault : std::uint8_t {
    short_frame,        ///< ends before its headers or its data do
    not_connector,      ///< another netlink message type or connector id
    not_a_request,      ///< a bare acknowledgement or a reply
    unterminated_uuid,  ///< no NUL in the uuid's field
    empty_uuid,
    unknown_version,  ///< version 0 of the kernel interface: the first one is 1
    unknown_type,
    wrong_data_size,   ///< not the size that the request type has
    unterminated_text  ///< a constructor string without its NUL
};

std::string_view name_of(KernelFrameFault fault);

/// Whom to tell -EINVAL: known once the headers were whole, also when the data behind them is not. (The kernel waits
/// uninterruptibly and asks again for ever if it is told nothing.)
struct KernelReplyAddress {
    std::uint32_t seq = 0;
    std::uint32_t raw_type = 0;
    Luid luid = 0;
};

struct BadKernelFrame {
    KernelFrameFault fault = KernelFrameFault::short_frame;
    /// Nothing: the frame is to be dropped without an answer.
    std::optional<KernelReplyAddress> answer_to;
};

/// Reads one datagram. Never reads past `frame`; trusts no size in it.
Result<KernelRequest, BadKernelFrame> unpack_kernel_request(std::span<const std::byte> frame);

/// Writes the reply's frame into `out` and returns its size. Invariant: `out` has kernel_frame_size_max bytes.
/// A reply with an error carries no payload, but for -ESRCH: the kernel takes the size of that reply for the room that
/// it has when it sends the request again, so it carries zeros of the size that the real answer will have. (Without
/// them the request fails with -ENOSPC after the log was created again; an IN_SYNC that fails makes a write go to the
/// primary leg alone.)
std::size_t pack_kernel_reply(const KernelReply& reply, std::span<std::byte> out);

/// The answer to a bad request that can be answered: -EINVAL, no payload.
std::size_t pack_kernel_refusal(const KernelReplyAddress& address, std::span<std::byte> out);

/// A bare acknowledgement that makes the kernel send the request `seq` again at once (ack = EAGAIN).
std::size_t pack_kernel_resend(std::uint32_t seq, std::span<std::byte> out);

/// The kernel's half, for stand-ins and tests: writes a request's frame as the kernel does.
std::size_t pack_kernel_request(const KernelRequest& request, std::span<std::byte> out);

/// What a stand-in for the kernel reads of a reply: the payload's bytes are inside `frame`.
struct UnpackedKernelReply {
    std::uint32_t seq = 0;
    std::uint32_t raw_type = 0;
    Luid luid = 0;
    std::int32_t error = 0;
    std::span<const std::byte> data;
};
std::optional<UnpackedKernelReply> unpack_kernel_reply(std::span<const std::byte> frame);

}  // namespace cmirror
