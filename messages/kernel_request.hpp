// What the kernel asks and what it is told, as plain values (spec/kernel.md, "Requests").
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "messages/identity.hpp"

namespace cmirror {

enum class RequestType : std::uint8_t {
    ctr = 1,
    dtr = 2,
    presuspend = 3,
    postsuspend = 4,
    resume = 5,
    get_region_size = 6,
    is_clean = 7,
    in_sync = 8,
    flush = 9,
    mark_region = 10,
    clear_region = 11,
    get_resync_work = 12,
    set_region_sync = 13,
    get_sync_count = 14,
    status_info = 15,
    status_table = 16,
    is_remote_recovering = 17,
};

/// The name of a request as the log and the status print it, e.g. "MARK_REGION".
std::string_view name_of(RequestType type);

/// Regions of one MARK_REGION, CLEAR_REGION or FLUSH: as many as a request of 512 bytes can hold.
class RegionList {
  public:
    static constexpr std::size_t capacity = 41;

    /// False (and unchanged) when the list is full.
    bool push_back(RegionNumber region) {
        if (size_ == capacity) return false;
        regions_[size_++] = region;
        return true;
    }
    std::span<const RegionNumber> span() const { return {regions_.data(), size_}; }
    auto begin() const { return span().begin(); }
    auto end() const { return span().end(); }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    friend bool operator==(const RegionList& a, const RegionList& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }

  private:
    std::array<RegionNumber, capacity> regions_{};
    std::size_t size_ = 0;
};

/// The constructor's arguments, not yet understood.
struct ConstructorText {
    std::string text;
    /// The kernel creates again a log that it believes lost; the reply must then be empty (spec/kernel.md,
    /// "Transport").
    bool reconnect = false;

    friend bool operator==(const ConstructorText&, const ConstructorText&) = default;
};

/// The payload of SET_REGION_SYNC.
struct RegionSync {
    RegionNumber region = 0;
    bool in_sync = false;

    friend bool operator==(const RegionSync&, const RegionSync&) = default;
};

/// IS_CLEAN, IN_SYNC and IS_REMOTE_RECOVERING carry a RegionNumber; MARK, CLEAR and FLUSH a RegionList.
using RequestPayload = std::variant<std::monostate, RegionNumber, RegionList, RegionSync, ConstructorText>;

/// A request of the kernel whose frame was in order. Its region numbers are not checked yet.
struct KernelRequest {
    std::uint32_t seq = 0;
    RequestType type = RequestType::ctr;
    /// Version of the kernel interface: from 2 on a first CTR of a disk log is told the log device's name.
    std::uint32_t version = 1;
    Luid luid = 0;
    Uuid uuid;
    RequestPayload payload;
};

/// IS_REMOTE_RECOVERING: is it, and the in_sync_hint. GET_RESYNC_WORK: found, and which region.
struct FlagAndRegion {
    std::int64_t flag = 0;
    RegionNumber region = 0;

    friend bool operator==(const FlagAndRegion&, const FlagAndRegion&) = default;
};

/// Nothing; one integer (u64 or s64 alike); a pair; text without a NUL unless it contains one itself.
using ReplyPayload = std::variant<std::monostate, std::uint64_t, FlagAndRegion, std::string>;

/// The answer to the request with the same `seq`.
struct KernelReply {
    std::uint32_t seq = 0;
    RequestType type = RequestType::ctr;
    Luid luid = 0;
    /// 0 or a negative errno.
    std::int32_t error = 0;
    ReplyPayload payload;

    friend bool operator==(const KernelReply&, const KernelReply&) = default;
};

}  // namespace cmirror
