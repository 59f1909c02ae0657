// What `cmirrorctl watch` shows.
#pragma once

#include <cstddef>
#include <string>

#include "main/ctl/health.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror::ctl {

struct WatchOptions {
    /// Columns of the terminal.
    std::size_t width = 80;
    bool colour = false;
};

/// For every mirror a bar of what is in sync, and a map of its regions. Lines no longer than the terminal is wide.
std::string watch_screen(const StatusSnapshot& snapshot, const MirrorNames& names, WatchOptions options);

/// "[#####....]", `width` characters at least 3; full only when all is done.
std::string progress_bar(std::uint64_t part, std::uint64_t whole, std::size_t width);

}  // namespace cmirror::ctl
