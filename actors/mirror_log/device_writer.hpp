// What of the clean map is not on the log device yet, and the one write under way (design.md, "Group commit").
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "actors/mirror_log/effects.hpp"
#include "actors/mirror_log/region_map.hpp"
#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// By member: all its ops below the number.
using Progress = std::map<MemberId, std::uint64_t>;

inline std::uint64_t value_of(const Progress& progress, MemberId member) {
    const auto i = progress.find(member);
    return i == progress.end() ? 0 : i->second;
}

/// Used by the server of a disk log alone. One write is under way at most; what changes meanwhile shares the next one.
class DeviceWriter {
  public:
    /// Blocks whose bits changed.
    void changed(const std::set<std::uint64_t>& blocks) { pending_.insert(blocks.begin(), blocks.end()); }
    /// Header and map are to be written as a whole.
    void everything_changed(std::uint64_t region_count);
    /// Another member writes the device from now on, or nobody does. What is under way goes on.
    void forget();
    /// A member left: when it joins again its ops are numbered anew, and the write under way says nothing of those.
    void member_left(MemberId member) {
        if (writing_) writing_->progress.erase(member);
    }

    bool writing() const { return writing_.has_value(); }
    /// A write is under way, be it a forgotten one.
    bool busy() const { return writing() || !forgotten_.empty(); }
    bool has_pending() const { return !pending_.empty(); }
    /// Nothing to write and nothing under way.
    bool settled() const { return !writing() && !has_pending(); }

    /// Starts a write of all pending blocks. `progress` is durable when it has succeeded.
    /// Invariant: none is under way, and there is something to write.
    WriteEffect start(const RegionMap& clean, std::uint64_t device_bytes, Progress progress);

    /// The outcome of the write with this number; nothing if it is none of ours (any more). On failure the blocks are
    /// pending again.
    struct Outcome {
        bool done = false;
        std::uint64_t bytes = 0;
        Progress progress;
    };
    std::optional<Outcome> finished(std::uint64_t write, bool done);

  private:
    struct Writing {
        std::uint64_t number = 0;
        std::set<std::uint64_t> blocks;
        std::uint64_t bytes = 0;
        Progress progress;
    };
    std::set<std::uint64_t> pending_;
    std::optional<Writing> writing_;
    std::set<std::uint64_t> forgotten_;
    std::uint64_t next_number_ = 1;
};

}  // namespace cmirror::mirror_log
