#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "messages/byte_stream.hpp"
#include "messages/invariant.hpp"
#include "messages/little_endian.hpp"
#include "messages/wire_cluster_parts.hpp"

// Layout: the magic, u16 format version, u16 kind, then the kind's fields without gaps, little-endian.

namespace cmirror {
namespace {

constexpr std::array<char, 8> magic{'C', 'M', 'I', 'R', 'R', 'O', 'R', '1'};
constexpr std::uint16_t format_version = 1;
/// Boot id as it lies on the wire; identity.hpp says how large it is.
static_assert(sizeof(BootId) == 16);

/// The numbers are part of the format.
enum class Kind : std::uint16_t {
    hello = 1,
    ops = 2,
    confirm = 3,
    state_begin = 4,
    state_chunk = 5,
    valid = 6,
    standing = 7,
    state_digest = 8,
    anew = 9
};

struct ExtensionHeader {
    std::array<char, 8> magic;
    le16 version;
    le16 kind;
};
static_assert(sizeof(ExtensionHeader) == 12);
static_assert(offsetof(ExtensionHeader, magic) == 0);
static_assert(offsetof(ExtensionHeader, version) == 8);
static_assert(offsetof(ExtensionHeader, kind) == 10);

constexpr std::size_t op_size = 1 + 8 + 8;
constexpr std::size_t confirmation_size = 4 + 4 + 8 + 8 + 4;

/// An op that may be sent: anything else is refused by every receiver.
bool is_sound(const Op& op) {
    // node_gone names a node where others name a region.
    if (op.kind == OpKind::node_gone && op.region > std::numeric_limits<NodeId>::max()) return false;
    return op.kind >= OpKind::mark && op.kind <= OpKind::reached && op.count >= 1 &&
           op.region <= std::numeric_limits<RegionNumber>::max() - op.count;
}

ByteWriter begin_message(Kind kind) {
    ByteWriter out;
    for (const char character : magic)
        out.u8(static_cast<std::uint8_t>(character));
    out.u16(format_version).u16(static_cast<std::uint16_t>(kind));
    return out;
}

std::vector<std::byte> pack(const Hello& hello) {
    return begin_message(Kind::hello)
        .u64(hello.token)
        .raw(hello.boot)
        .u64(hello.luid)
        .u64(hello.region_size_sectors)
        .u64(hello.region_count)
        .flag(hello.disk_log)
        .u32(hello.version.number)
        .take();
}

Hello read_hello(ByteReader& in) {
    Hello hello;
    hello.token = in.u64();
    hello.boot = in.boot();
    hello.luid = in.u64();
    hello.region_size_sectors = in.u64();
    hello.region_count = in.u64();
    hello.disk_log = in.flag();
    hello.version.number = in.u32();
    return hello;
}

std::vector<std::byte> pack(const Ops& ops) {
    CMIRROR_INVARIANT(ops.ops.size() <= ops_count_max);
    CMIRROR_INVARIANT(ops.first_seq <= std::numeric_limits<std::uint64_t>::max() - ops.ops.size());
    ByteWriter out = begin_message(Kind::ops);
    out.u64(ops.token).u64(ops.first_seq).u64(ops.luid).u32(static_cast<std::uint32_t>(ops.ops.size()));
    for (const Op& op : ops.ops) {
        CMIRROR_INVARIANT(is_sound(op));
        out.u8(static_cast<std::uint8_t>(op.kind)).u64(op.region).u64(op.count);
    }
    return out.take();
}

Ops read_ops(ByteReader& in) {
    Ops ops;
    ops.token = in.u64();
    ops.first_seq = in.u64();
    ops.luid = in.u64();
    const std::size_t count = in.u32();
    if (!in.require(count <= ops_count_max && in.left() == count * op_size)) return ops;
    in.require(ops.first_seq <= std::numeric_limits<std::uint64_t>::max() - count);
    ops.ops.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        Op op;
        op.kind = static_cast<OpKind>(in.u8());
        op.region = in.u64();
        op.count = in.u64();
        if (!in.require(is_sound(op))) return ops;
        ops.ops.push_back(op);
    }
    return ops;
}

std::vector<std::byte> pack(const Confirm& confirm) {
    ByteWriter out = begin_message(Kind::confirm);
    out.u32(static_cast<std::uint32_t>(confirm.confirmations.size()));
    for (const Confirmation& entry : confirm.confirmations) {
        CMIRROR_INVARIANT(entry.error <= 0);
        out.u32(entry.origin.node).u32(entry.origin.process).u64(entry.token).u64(entry.next_seq);
        out.u32(static_cast<std::uint32_t>(entry.error));
    }
    return out.take();
}

Confirm read_confirm(ByteReader& in) {
    Confirm confirm;
    const std::size_t count = in.u32();
    // The division comes first: the product could overflow where size_t is small.
    if (!in.require(in.left() % confirmation_size == 0 && in.left() / confirmation_size == count)) return confirm;
    confirm.confirmations.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        Confirmation entry;
        entry.origin.node = in.u32();
        entry.origin.process = in.u32();
        entry.token = in.u64();
        entry.next_seq = in.u64();
        entry.error = static_cast<std::int32_t>(in.u32());
        // 0 or a negative errno.
        if (!in.require(entry.error <= 0)) return confirm;
        confirm.confirmations.push_back(entry);
    }
    return confirm;
}

std::vector<std::byte> pack(const StateBegin& begin) {
    return begin_message(Kind::state_begin).u64(begin.transfer).take();
}

bool is_sound(const StateChunk& chunk) {
    return chunk.index < chunk.count && chunk.compressed.size() <= state_chunk_size_max;
}

std::vector<std::byte> pack(const StateChunk& chunk) {
    CMIRROR_INVARIANT(is_sound(chunk));
    return begin_message(Kind::state_chunk)
        .u64(chunk.transfer)
        .u32(chunk.index)
        .u32(chunk.count)
        .u32(static_cast<std::uint32_t>(chunk.compressed.size()))
        .raw(chunk.compressed)
        .take();
}

StateChunk read_state_chunk(ByteReader& in) {
    StateChunk chunk;
    chunk.transfer = in.u64();
    chunk.index = in.u32();
    chunk.count = in.u32();
    const std::size_t size = in.u32();
    if (!in.require(size <= state_chunk_size_max)) return chunk;
    chunk.compressed = in.raw(size);
    in.require(is_sound(chunk));
    return chunk;
}

std::vector<std::byte> pack(const Valid& valid) {
    return begin_message(Kind::valid).u64(valid.token).u64(valid.lineage).take();
}

std::vector<std::byte> pack(const Standing& standing) {
    return begin_message(Kind::standing)
        .u64(standing.token)
        .flag(standing.valid)
        .u64(standing.quorate_ring)
        .u64(standing.ordinal)
        .take();
}

Standing read_standing(ByteReader& in) {
    Standing standing;
    standing.token = in.u64();
    standing.valid = in.flag();
    standing.quorate_ring = in.u64();
    standing.ordinal = in.u64();
    return standing;
}

std::vector<std::byte> pack(const StateDigest& digest) {
    return begin_message(Kind::state_digest).u64(digest.ordinal).u64(digest.digest).take();
}

Valid read_valid(ByteReader& in) {
    Valid valid;
    valid.token = in.u64();
    valid.lineage = in.u64();
    return valid;
}

StateDigest read_state_digest(ByteReader& in) {
    StateDigest digest;
    digest.ordinal = in.u64();
    digest.digest = in.u64();
    return digest;
}

std::vector<std::byte> pack(const Anew& anew) {
    return begin_message(Kind::anew).u64(anew.token).take();
}

std::vector<std::byte> pack(const LegacyFrame&) {
    constexpr bool legacy_frame_is_an_extension = false;
    CMIRROR_INVARIANT(legacy_frame_is_an_extension);
    return {};
}

ClusterMessage read_message(Kind kind, ByteReader& in) {
    switch (kind) {
        case Kind::hello:
            return read_hello(in);
        case Kind::ops:
            return read_ops(in);
        case Kind::confirm:
            return read_confirm(in);
        case Kind::state_begin:
            return StateBegin{in.u64()};
        case Kind::state_chunk:
            return read_state_chunk(in);
        case Kind::valid:
            return read_valid(in);
        case Kind::standing:
            return read_standing(in);
        case Kind::state_digest:
            return read_state_digest(in);
        case Kind::anew:
            return Anew{in.u64()};
    }
    in.require(false);
    return Valid{};
}

}  // namespace

bool wire::has_extension_magic(std::span<const std::byte> data) {
    return data.size() >= magic.size() && std::memcmp(data.data(), magic.data(), magic.size()) == 0;
}

Result<ClusterMessage, ClusterFrameFault> wire::unpack_extension(std::span<const std::byte> data) {
    CMIRROR_INVARIANT(has_extension_magic(data));
    if (data.size() < sizeof(ExtensionHeader)) return Failure<ClusterFrameFault>(ClusterFrameFault::bad_extension);
    ExtensionHeader header;
    std::memcpy(&header, data.data(), sizeof header);
    const std::uint16_t kind = header.kind.value();
    if (header.version.value() != format_version || kind < static_cast<std::uint16_t>(Kind::hello) ||
        kind > static_cast<std::uint16_t>(Kind::anew))
        return Failure<ClusterFrameFault>(ClusterFrameFault::unknown_extension);
    ByteReader in(data.subspan(sizeof header));
    ClusterMessage message = read_message(static_cast<Kind>(kind), in);
    if (!in.complete()) return Failure<ClusterFrameFault>(ClusterFrameFault::bad_extension);
    return message;
}

std::vector<std::byte> wire::pack_extension(const ClusterMessage& message) {
    return std::visit([](const auto& alternative) { return pack(alternative); }, message);
}

}  // namespace cmirror
