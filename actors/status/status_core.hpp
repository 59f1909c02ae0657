// A status snapshot: what was asked for, what came, and how it reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/common/log_line.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror {

/// Readable lines, headings and field names as in the field's dump.
std::vector<std::string> format_status(const StatusSnapshot& snapshot);

/// Gathers one snapshot at a time.
class StatusCore {
  public:
    /// How long parts are waited for.
    static constexpr std::chrono::seconds patience{2};

    bool busy() const { return outstanding_ > 0; }

    /// Begins a snapshot of these parts. Invariant: not busy().
    void begin(const DaemonIdentity& daemon, std::size_t actors, std::size_t logs, TimePoint now);

    /// A part came, or certainly will not come. Parts of an earlier snapshot are ignored. True: it was the last.
    bool on_actor(std::uint64_t snapshot, std::size_t index, std::variant<PartMissing, ActorStatus> part);
    bool on_log(std::uint64_t snapshot, std::size_t index, std::variant<PartMissing, LogStatus> part);
    /// True: the time is over for what is gathered now.
    bool overdue(TimePoint now) const { return busy() && now >= deadline_; }

    /// The number of the snapshot that is gathered.
    std::uint64_t current() const { return current_; }
    /// Ends the snapshot and gives it.
    StatusSnapshot finish();

  private:
    template <class Parts, class Part>
    bool place(Parts& parts, std::uint64_t snapshot, std::size_t index, Part part);
    /// How long the logs' pending requests have waited, by what the kernel's gateway knows.
    void add_waited();

    StatusSnapshot snapshot_;
    /// By index, actors first: the part is here.
    std::vector<bool> came_;
    std::size_t outstanding_ = 0;
    std::uint64_t current_ = 0;
    TimePoint deadline_;
};

}  // namespace cmirror
