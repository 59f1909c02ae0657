// Frames of a log's group for the tests of wire_cluster.hpp, and where fields lie in them.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "messages/wire_cluster.hpp"

namespace cmirror::wire_test {

using Bytes = std::vector<std::byte>;

// Where fields lie in a frame (spec/cluster-v5.md, "Frame") and in our own data.
inline constexpr std::size_t native_version_at = 8;
inline constexpr std::size_t originator_at = 16;
inline constexpr std::size_t uuid_at = 32;
inline constexpr std::size_t data_size_at = 180;
inline constexpr std::size_t data_at = 184;
inline constexpr std::size_t format_version_at = data_at + 8;
inline constexpr std::size_t kind_at = data_at + 10;
inline constexpr std::size_t fields_at = data_at + 12;

inline const Uuid& group() {
    static const Uuid uuid = *Uuid::from_text("LVM-golden01");
    return uuid;
}

inline Bytes frame_of(const ClusterMessage& message) {
    return pack_cluster_message(message, group());
}

inline ClusterMessage after_the_wire(const ClusterMessage& message) {
    const auto read = unpack_cluster_message(frame_of(message), group());
    EXPECT_TRUE(read.has_value());
    return read ? *read : ClusterMessage{};
}

inline ClusterFrameFault fault_of(const Bytes& frame) {
    const auto read = unpack_cluster_message(frame, group());
    EXPECT_FALSE(read.has_value());
    return read ? ClusterFrameFault{} : read.error();
}

inline void set_size(Bytes& frame, std::size_t data_size) {
    frame.resize(data_at + data_size);
    for (std::size_t i = 0; i < 4; ++i)
        frame[data_size_at + i] = static_cast<std::byte>(data_size >> (8 * i) & 0xFF);
}

inline LegacyFrame legacy(std::uint32_t type, Bytes data) {
    return {
        .originator = 3, .pit_server = 0, .version = 2, .error = -5, .seq = 9, .type = type, .data = std::move(data)};
}

inline Bytes bytes_of(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(i + 1);
    return bytes;
}

}  // namespace cmirror::wire_test
