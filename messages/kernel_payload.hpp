// What lies behind the headers of the kernel's frames, a layout a request type (spec/kernel.md, "Requests").
// Part of wire_kernel.hpp's implementation.
#pragma once

#include <cstddef>
#include <span>

#include "messages/kernel_request.hpp"
#include "messages/result.hpp"
#include "messages/wire_kernel.hpp"

namespace cmirror {

/// `data` is what the request's data_size counts, `behind` the datagram's bytes behind it (padding).
Result<RequestPayload, KernelFrameFault> unpack_request_payload(RequestType type, std::span<const std::byte> data,
                                                                std::span<const std::byte> behind);

/// Write the payload to `out` and return its size. Invariant: it fits.
std::size_t pack_request_payload(const RequestPayload& payload, std::span<std::byte> out);
std::size_t pack_reply_payload(const ReplyPayload& payload, std::span<std::byte> out);

}  // namespace cmirror
