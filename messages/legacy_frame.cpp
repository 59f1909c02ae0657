#include "messages/legacy_frame.hpp"

#include <cstring>

#include "messages/little_endian.hpp"

namespace cmirror {

std::optional<RequestType> legacy_request_type(const LegacyFrame& frame) {
    const std::uint32_t type = frame.type & ~legacy_response_flag;
    if (type < static_cast<std::uint32_t>(RequestType::ctr) ||
        type > static_cast<std::uint32_t>(RequestType::is_remote_recovering))
        return std::nullopt;
    return static_cast<RequestType>(type);
}

std::vector<std::uint64_t> legacy_integers(const LegacyFrame& frame) {
    std::vector<std::uint64_t> integers(frame.data.size() / sizeof(le64));
    for (std::size_t i = 0; i < integers.size(); ++i) {
        le64 integer;
        std::memcpy(&integer, &frame.data[i * sizeof integer], sizeof integer);
        integers[i] = integer.value();
    }
    return integers;
}

std::vector<std::byte> legacy_data(std::span<const std::uint64_t> integers) {
    std::vector<std::byte> data(integers.size() * sizeof(le64));
    for (std::size_t i = 0; i < integers.size(); ++i) {
        const le64 integer{integers[i]};
        std::memcpy(&data[i * sizeof integer], &integer, sizeof integer);
    }
    return data;
}

LegacyFrame legacy_request(RequestType type, std::uint32_t seq, std::span<const std::uint64_t> integers,
                           bool needs_response) {
    LegacyFrame frame;
    frame.pit_server = needs_response ? 0 : legacy_no_response_tag;
    frame.version = legacy_interface_version;
    frame.seq = seq;
    frame.type = static_cast<std::uint32_t>(type);
    frame.data = legacy_data(integers);
    return frame;
}

}  // namespace cmirror
