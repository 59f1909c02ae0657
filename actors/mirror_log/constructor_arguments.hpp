// The constructor's arguments of a mirror log (spec/kernel.md, CTR).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/result.hpp"

namespace cmirror::mirror_log {

struct ConstructorArguments {
    /// What the first start of a log without a state means: resynchronise everything, or nothing.
    enum class Sync : std::uint8_t { default_, sync, nosync };

    std::uint64_t device_sectors = 0;
    bool disk_log = false;
    /// `major:minor` or a path; empty for a core log.
    std::string device;
    /// A power of two, at most region_size_max. It may exceed the device's size: there is one region then.
    std::uint64_t region_size_sectors = 0;
    Sync sync = Sync::default_;
    bool block_on_error = false;
    /// device_sectors / region_size_sectors, rounded up; 1 to region_count_max.
    std::uint64_t region_count = 0;

    friend bool operator==(const ConstructorArguments&, const ConstructorArguments&) = default;
};

/// Bounds the memory of one log: three maps of 128 MiB.
inline constexpr std::uint64_t region_count_max = std::uint64_t{1} << 30U;
/// The largest power of two that the kernel can hold: it keeps 32 bits of what GET_REGION_SIZE tells it, and divides by
/// them.
inline constexpr std::uint64_t region_size_max = std::uint64_t{1} << 31U;
/// With its NUL the name has to fit the kernel's reply buffer (spec/kernel.md).
inline constexpr std::size_t device_name_max = 127;

enum class ConstructorFault : std::uint8_t {
    too_few_arguments,
    bad_device_size,
    unknown_log_type,
    bad_device_name,
    bad_region_size,
    too_many_regions,
    unknown_option,
    repeated_option
};

/// What is wrong and what the table line should have instead.
std::string_view describe(ConstructorFault fault);

/// `<device sectors> clustered-core|clustered-disk [<log device>] <region sectors> [sync|nosync] [block_on_error]`
Result<ConstructorArguments, ConstructorFault> parse_constructor_arguments(std::string_view text);

}  // namespace cmirror::mirror_log
