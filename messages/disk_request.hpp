// What a mirror log and its log device say to each other, as plain values (spec/disk.md).
#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "messages/identity.hpp"

namespace cmirror {

/// Unit of writing: only blocks of this size that changed are written.
inline constexpr std::size_t device_block_size = 4096;

/// What a log device held when it was read.
struct DeviceImage {
    /// False: another magic, so no log (spec/disk.md). `region_count` and `words` are then without meaning.
    bool is_log = false;
    std::uint32_t version = 0;
    std::uint64_t region_count = 0;
    /// Bit r%32 of word r/32: region r is clean and in sync. ceil(min(regions on disk, asked) / 32) words.
    std::vector<std::uint32_t> words;
};

/// One block to be written; `offset` is a multiple of device_block_size from the start of the device.
struct DeviceBlock {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;
};

/// Blocks that are written together, then made durable.
using DeviceBlocks = std::vector<DeviceBlock>;

/// Why a device could not be opened, read or written; `code` is a positive errno.
struct DeviceError {
    int code = 0;
    std::string text;
};

/// The error's code of a write that was begun too late; no device gives it.
inline constexpr int write_too_late = ECANCELED;

}  // namespace cmirror
