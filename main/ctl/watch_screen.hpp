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

/// For every mirror a bar of what is in sync, and a map of its regions.
std::string watch_screen(const StatusSnapshot& snapshot, const LocalMirrors& mirrors, WatchOptions options);

/// What of `text` a terminal can show: longer lines are cut, and of too many lines the last one tells how many more
/// there are. Colours take no room.
std::string fit_screen(const std::string& text, std::size_t width, std::size_t rows);

/// "[#####....]", `width` characters at least 3; full only when all is done.
std::string progress_bar(std::uint64_t part, std::uint64_t whole, std::size_t width);

}  // namespace cmirror::ctl
