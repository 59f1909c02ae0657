// Who is who: nodes, members of a group, mirror logs and their instances.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cmirror {

/// A corosync node id.
using NodeId = std::uint32_t;
/// One instance of a log on one node (a kernel pointer: unique among the live ones, reused later).
using Luid = std::uint64_t;
/// A region of a mirror, counted from 0.
using RegionNumber = std::uint64_t;

/// Names a log in the whole cluster: 1 to 128 characters, none of them NUL (spec/kernel.md, "uuid and luid").
class Uuid {
  public:
    static constexpr std::size_t length_max = 128;

    Uuid() = default;

    /// Nothing if `text` is empty, too long or contains a NUL.
    static std::optional<Uuid> from_text(std::string_view text);

    std::string_view text() const { return {characters_.data(), length_}; }

    friend bool operator==(const Uuid& a, const Uuid& b) { return a.text() == b.text(); }
    friend auto operator<=>(const Uuid& a, const Uuid& b) { return a.text() <=> b.text(); }

  private:
    std::array<char, length_max> characters_{};
    std::uint8_t length_ = 0;
};

/// A member of a log's group: a process on a node (any process may join, also one on our own node).
struct MemberId {
    NodeId node = 0;
    std::uint32_t process = 0;

    friend auto operator<=>(const MemberId&, const MemberId&) = default;
};

/// Who owns marks and grants: one kernel's instance of the log. Survives the daemon that spoke for it.
struct Owner {
    NodeId node = 0;
    Luid luid = 0;

    friend auto operator<=>(const Owner&, const Owner&) = default;
};

/// Tells one boot of a node from another (/proc/sys/kernel/random/boot_id).
using BootId = std::array<std::uint8_t, 16>;

/// A release of this program: 1.2.3 is 0x010203. 0: not known.
struct ProgramVersion {
    std::uint32_t number = 0;

    /// "1.2.3"; empty if not known.
    std::string text() const;
    friend bool operator==(const ProgramVersion&, const ProgramVersion&) = default;
};

}  // namespace cmirror

template <>
struct std::hash<cmirror::Uuid> {
    std::size_t operator()(const cmirror::Uuid& uuid) const noexcept {
        return std::hash<std::string_view>{}(uuid.text());
    }
};

template <>
struct std::hash<cmirror::Owner> {
    std::size_t operator()(const cmirror::Owner& owner) const noexcept {
        return std::hash<std::uint64_t>{}(owner.luid ^ (std::uint64_t{owner.node} << 32U));
    }
};
