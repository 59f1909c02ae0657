// The frames of a log's CPG group: the field's protocol, version 5, and our own messages tunnelled through it
// (spec/cluster-v5.md, "Frame" and "Extension frames").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/cluster_message.hpp"
#include "messages/result.hpp"

namespace cmirror {

/// A frame is never larger than this: corosync splits larger messages, and a state travels in chunks.
inline constexpr std::size_t cluster_frame_size_max = std::size_t{64} * 1024;
/// Compressed bytes of one StateChunk at most.
inline constexpr std::size_t state_chunk_size_max = std::size_t{48} * 1024;
/// Ops of one Ops message at most.
inline constexpr std::size_t ops_count_max = 1024;

enum class ClusterFrameFault : std::uint8_t {
    short_frame,
    old_version,  ///< 2 to 4 (RHEL 5): refused with one logged error a peer
    unknown_version,
    wrong_uuid,  ///< unterminated, empty or not the group's
    wrong_data_size,
    unknown_type,  ///< neither a request of the field's, nor an answer, nor a checkpoint
    unknown_extension,
    bad_extension  ///< an extension frame whose contents break a bound
};

std::string_view name_of(ClusterFrameFault fault);

/// Reads one delivered message of the group named `uuid`; a frame of the other byte order is swapped.
Result<ClusterMessage, ClusterFrameFault> unpack_cluster_message(std::span<const std::byte> frame, const Uuid& uuid);

/// The frame to be multicast. Invariant: the bounds above are kept.
std::vector<std::byte> pack_cluster_message(const ClusterMessage& message, const Uuid& uuid);

/// The data of a legacy CHECKPOINT_READY: sync bits, clean bits, recovering region (spec/cluster-v5.md).
struct LegacyCheckpoint {
    std::vector<std::uint32_t> sync_words;
    std::vector<std::uint32_t> clean_words;
    RegionNumber recovering_region = ~RegionNumber{0};
    NodeId recoverer = 0;

    friend bool operator==(const LegacyCheckpoint&, const LegacyCheckpoint&) = default;
};
Result<LegacyCheckpoint, ClusterFrameFault> unpack_legacy_checkpoint(std::span<const std::byte> data,
                                                                     std::uint64_t region_count);
std::vector<std::byte> pack_legacy_checkpoint(const LegacyCheckpoint& checkpoint, std::uint64_t region_count);

}  // namespace cmirror
