// Finds the nodes' streams of writes to successive regions: their next regions are marked ahead (design.md).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// A few streams at a time; the one that has not gone on for the longest time makes room for another.
class SequentialWrites {
  public:
    static constexpr std::uint64_t streams_max = 4;
    /// Successive regions after which a stream is believed.
    static constexpr std::uint64_t length_min = 3;
    static constexpr std::uint64_t window_first = 8;

    struct Run {
        RegionNumber first = 0;
        std::uint64_t count = 0;

        friend bool operator==(const Run&, const Run&) = default;
    };

    /// At most `window_max` regions of a stream are ahead of its writer; 0: none are.
    explicit SequentialWrites(std::uint64_t window_max) : window_max_(window_max) {}

    /// The kernel has marked the region. Returns the regions to be marked ahead now, if any: when half of those that
    /// were before have been reached.
    std::optional<Run> marked(RegionNumber region) {
        Stream& stream = stream_of(region);
        stream.used = ++clock_;
        if (stream.next != region) return std::nullopt;
        stream.next = region + 1;
        if (++stream.length < length_min) return std::nullopt;
        stream.ahead_end = std::max(stream.ahead_end, stream.next);
        const std::uint64_t window = std::min(window_max_, window_first << std::min(stream.length - length_min, 32UL));
        const std::uint64_t ahead = stream.ahead_end - stream.next;
        if (ahead > window / 2 || ahead >= window) return std::nullopt;
        const Run run{stream.ahead_end, window - ahead};
        stream.ahead_end += run.count;
        return run;
    }

  private:
    struct Stream {
        /// The region that continues it.
        RegionNumber next = 0;
        std::uint64_t length = 0;
        /// Behind the last region that was to be marked ahead.
        RegionNumber ahead_end = 0;
        std::uint64_t used = 0;
    };

    /// That which the region continues or repeats the end of, or else a new one that it begins.
    Stream& stream_of(RegionNumber region) {
        for (Stream& stream : streams_)
            if (stream.length > 0 && (stream.next == region || stream.next == region + 1)) return stream;
        Stream& oldest = *std::ranges::min_element(streams_, {}, &Stream::used);
        oldest = {region, 0, 0, 0};
        return oldest;
    }

    std::uint64_t window_max_;
    std::uint64_t clock_ = 0;
    std::array<Stream, streams_max> streams_{};
};

}  // namespace cmirror::mirror_log
