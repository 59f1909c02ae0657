#include "messages/wire_cluster.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "messages/invariant.hpp"
#include "messages/legacy_frame.hpp"
#include "messages/little_endian.hpp"
#include "messages/wire_cluster_parts.hpp"

namespace cmirror {
namespace {

constexpr std::uint64_t protocol_version = 5;
/// Versions of RHEL 5: they put the frame elsewhere in the message.
constexpr std::uint64_t old_version_min = 2;
constexpr std::uint64_t old_version_max = 4;
/// What extension frames say in the field of the kernel interface, as every CHECKPOINT_READY.
constexpr std::uint32_t checkpoint_interface = 0;

struct FrameHeader {
    le64 version;
    le64 version_native;
    le32 originator;
    le32 pit_server;
    le64 luid;
    std::array<char, 129> uuid;
    std::array<char, 3> padding;
    le32 interface_version;
    le32 error;
    le32 seq;
    le32 type;
    le32 data_size;
};
static_assert(sizeof(FrameHeader) == 184);
static_assert(offsetof(FrameHeader, version) == 0);
static_assert(offsetof(FrameHeader, version_native) == 8);
static_assert(offsetof(FrameHeader, originator) == 16);
static_assert(offsetof(FrameHeader, pit_server) == 20);
static_assert(offsetof(FrameHeader, luid) == 24);
static_assert(offsetof(FrameHeader, uuid) == 32);
static_assert(offsetof(FrameHeader, padding) == 161);
static_assert(offsetof(FrameHeader, interface_version) == 164);
static_assert(offsetof(FrameHeader, error) == 168);
static_assert(offsetof(FrameHeader, seq) == 172);
static_assert(offsetof(FrameHeader, type) == 176);
static_assert(offsetof(FrameHeader, data_size) == 180);
static_assert(std::is_trivially_copyable_v<FrameHeader>);

Failure<ClusterFrameFault> fault(ClusterFrameFault why) {
    return Failure<ClusterFrameFault>(why);
}

/// Whether the sender's byte order is the other one.
Result<bool, ClusterFrameFault> is_swapped(std::span<const std::byte> frame) {
    std::array<le64, 2> versions;
    if (frame.size() < sizeof(le64)) return fault(ClusterFrameFault::short_frame);
    std::memcpy(versions.data(), frame.data(), sizeof(le64));
    const std::uint64_t version = versions[0].value();
    if (version >= old_version_min && version <= old_version_max) return fault(ClusterFrameFault::old_version);
    if (version != protocol_version) return fault(ClusterFrameFault::unknown_version);
    if (frame.size() < sizeof(FrameHeader)) return fault(ClusterFrameFault::short_frame);
    std::memcpy(versions.data(), frame.data(), sizeof versions);
    const std::uint64_t native = versions[1].value();
    if (native == protocol_version) return false;
    if (native == __builtin_bswap64(protocol_version)) return true;
    return fault(ClusterFrameFault::unknown_version);
}

bool is_uuid(const std::array<char, 129>& field, const Uuid& uuid) {
    const auto* const end = static_cast<const char*>(std::memchr(field.data(), 0, field.size()));
    if (end == nullptr || uuid.text().empty()) return false;
    return std::string_view(field.data(), static_cast<std::size_t>(end - field.data())) == uuid.text();
}

/// The header's fields in the host's order; the data is still to come.
LegacyFrame unpack_header(const FrameHeader& header, bool swapped) {
    const auto native = [swapped](le32 field) { return swapped ? __builtin_bswap32(field.value()) : field.value(); };
    LegacyFrame frame;
    frame.originator = native(header.originator);
    frame.pit_server = native(header.pit_server);
    frame.version = native(header.interface_version);
    frame.error = static_cast<std::int32_t>(native(header.error));
    frame.seq = native(header.seq);
    frame.type = native(header.type);
    return frame;
}

bool is_extension(const LegacyFrame& frame, std::span<const std::byte> data) {
    return frame.type == wire::checkpoint_ready && frame.originator == wire::extension_originator &&
           wire::has_extension_magic(data);
}

std::vector<std::byte> pack_frame(const LegacyFrame& frame, std::span<const std::byte> data, const Uuid& uuid) {
    const std::string_view name = uuid.text();
    CMIRROR_INVARIANT(!name.empty());
    CMIRROR_INVARIANT(data.size() <= UINT32_MAX);
    FrameHeader header{};
    header.version = le64{protocol_version};
    header.version_native = le64{protocol_version};
    header.originator = le32{frame.originator};
    header.pit_server = le32{frame.pit_server};
    std::copy(name.begin(), name.end(), header.uuid.begin());
    header.interface_version = le32{frame.version};
    header.error = le32{static_cast<std::uint32_t>(frame.error)};
    header.seq = le32{frame.seq};
    header.type = le32{frame.type};
    header.data_size = le32{static_cast<std::uint32_t>(data.size())};
    std::vector<std::byte> bytes(sizeof header + data.size());
    std::memcpy(bytes.data(), &header, sizeof header);
    std::copy(data.begin(), data.end(), bytes.begin() + sizeof header);
    return bytes;
}

}  // namespace

std::string_view name_of(ClusterFrameFault fault) {
    switch (fault) {
        case ClusterFrameFault::short_frame:
            return "short frame";
        case ClusterFrameFault::old_version:
            return "protocol version 2 to 4";
        case ClusterFrameFault::unknown_version:
            return "unknown protocol version";
        case ClusterFrameFault::wrong_uuid:
            return "wrong uuid";
        case ClusterFrameFault::wrong_data_size:
            return "wrong data size";
        case ClusterFrameFault::unknown_type:
            return "unknown type";
        case ClusterFrameFault::unknown_extension:
            return "unknown extension";
        case ClusterFrameFault::bad_extension:
            return "bad extension";
    }
    return "unknown fault";
}

Result<ClusterMessage, ClusterFrameFault> unpack_cluster_message(std::span<const std::byte> frame, const Uuid& uuid) {
    const auto swapped = is_swapped(frame);
    if (!swapped) return fault(swapped.error());
    FrameHeader header;
    std::memcpy(&header, frame.data(), sizeof header);
    const auto data = frame.subspan(sizeof header);
    if (!is_uuid(header.uuid, uuid)) return fault(ClusterFrameFault::wrong_uuid);
    const std::uint32_t data_size = header.data_size.value();
    if ((*swapped ? __builtin_bswap32(data_size) : data_size) != data.size())
        return fault(ClusterFrameFault::wrong_data_size);

    LegacyFrame legacy = unpack_header(header, *swapped);
    if (is_extension(legacy, data)) {
        if (frame.size() > cluster_frame_size_max) return fault(ClusterFrameFault::bad_extension);
        return wire::unpack_extension(data);
    }
    if (legacy.type != legacy_checkpoint_ready && !legacy_request_type(legacy))
        return fault(ClusterFrameFault::unknown_type);
    legacy.data.assign(data.begin(), data.end());
    if (*swapped) wire::swap_legacy_data(legacy.type, legacy.data);
    return legacy;
}

std::vector<std::byte> pack_cluster_message(const ClusterMessage& message, const Uuid& uuid) {
    if (const auto* const legacy = std::get_if<LegacyFrame>(&message)) {
        CMIRROR_INVARIANT(!is_extension(*legacy, legacy->data));
        return pack_frame(*legacy, legacy->data, uuid);
    }
    LegacyFrame carrier;
    carrier.originator = wire::extension_originator;
    carrier.version = checkpoint_interface;
    carrier.type = wire::checkpoint_ready;
    auto frame = pack_frame(carrier, wire::pack_extension(message), uuid);
    CMIRROR_INVARIANT(frame.size() <= cluster_frame_size_max);
    return frame;
}

}  // namespace cmirror
