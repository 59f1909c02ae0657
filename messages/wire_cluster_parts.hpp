// How the implementation of wire_cluster.hpp is shared out: the frame, the field's data, our own data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "messages/wire_cluster.hpp"

namespace cmirror::wire {

/// CHECKPOINT_READY.
inline constexpr std::uint32_t checkpoint_ready = 21;
/// Set in the type of a response.
inline constexpr std::uint32_t response_flag = 0x1000;
/// Our extension frames are checkpoints for a node that no cluster has.
inline constexpr NodeId extension_originator = 0xFFFFFFFF;

/// Swaps the integers in the data of a frame of the other byte order. Text and unknown types stay as they are.
void swap_legacy_data(std::uint32_t type, std::span<std::byte> data);

/// Whether the data of a CHECKPOINT_READY for extension_originator starts as ours does.
bool has_extension_magic(std::span<const std::byte> data);
Result<ClusterMessage, ClusterFrameFault> unpack_extension(std::span<const std::byte> data);
/// Invariant: `message` is not a LegacyFrame and keeps the bounds of wire_cluster.hpp.
std::vector<std::byte> pack_extension(const ClusterMessage& message);

}  // namespace cmirror::wire
