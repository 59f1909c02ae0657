// Frames of the field's protocol, version 5, as plain values: their types, and the integers in their data
// (spec/cluster-v5.md, "Who says what").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "messages/cluster_message.hpp"
#include "messages/kernel_request.hpp"

namespace cmirror {

/// CHECKPOINT_READY, as LegacyFrame::type.
inline constexpr std::uint32_t legacy_checkpoint_ready = 21;
/// Set in the type of a response.
inline constexpr std::uint32_t legacy_response_flag = 0x1000;
/// In pit_server: no response is needed. Legacy members ignore that field.
inline constexpr std::uint32_t legacy_no_response_tag = 0x4F575241;
/// The version of the kernel interface that requests carry.
inline constexpr std::uint32_t legacy_interface_version = 2;
/// As the recovering region of a checkpoint: none.
inline constexpr RegionNumber legacy_no_region = ~RegionNumber{0};
/// Regions of one MARK_REGION or CLEAR_REGION, as many as a kernel sends.
inline constexpr std::size_t legacy_regions_max = 32;

inline bool is_legacy_response(const LegacyFrame& frame) {
    return (frame.type & legacy_response_flag) != 0;
}
/// The request that the frame is, or answers; nothing for a checkpoint or an unknown type.
std::optional<RequestType> legacy_request_type(const LegacyFrame& frame);

/// The 64-bit integers in the data; bytes left over are ignored.
std::vector<std::uint64_t> legacy_integers(const LegacyFrame& frame);
std::vector<std::byte> legacy_data(std::span<const std::uint64_t> integers);

/// A request of one of our members: tagged unless a legacy server has to answer it.
LegacyFrame legacy_request(RequestType type, std::uint32_t seq, std::span<const std::uint64_t> integers,
                           bool needs_response = false);

}  // namespace cmirror
