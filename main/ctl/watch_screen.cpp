#include "main/ctl/watch_screen.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <vector>

#include "main/ctl/status_screen.hpp"
#include "main/ctl/text.hpp"

namespace cmirror::ctl {
namespace {

constexpr std::string_view margin = "  ";

struct Kind {
    char letter;
    char shown;
    Colour colour;
    const char* name;
};
constexpr std::array kinds{Kind{'c', '.', Colour::green, "clean"}, Kind{'d', 'd', Colour::blue, "dirty"},
                           Kind{'o', '-', Colour::yellow, "out of sync"}, Kind{'r', 'R', Colour::bold, "recovering"},
                           Kind{'f', 'F', Colour::red, "failed"}};

std::string cell(char letter, bool colour) {
    for (const auto& kind : kinds)
        if (kind.letter == letter) return paint(std::string(1, kind.shown), kind.colour, colour);
    return "?";
}

/// The map, stretched or shrunk to `width`: of several cells that become one the worst is shown.
std::string map_line(const std::string& map, std::size_t width, bool colour) {
    constexpr std::string_view worst_first = "rfodc";
    std::string line;
    const auto shown = std::min(width, map.size());
    for (std::size_t i = 0; i < shown; ++i) {
        const auto cells = map.substr(i * map.size() / shown, (i + 1) * map.size() / shown - i * map.size() / shown);
        const auto worst = cells[0] == '\0' ? std::string::npos : worst_first.find_first_of(cells);
        line += cell(worst == std::string::npos ? cells[0] : worst_first[worst], colour);
    }
    return line;
}

/// Bytes that begin a character, escape sequences left out, are what takes room.
std::string fit_line(const std::string& line, std::size_t width) {
    std::string fitting;
    std::size_t room = width;
    bool escape = false;
    for (const char c : line) {
        const bool continues = (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
        if (c == '\x1b') escape = true;
        if (!escape && !continues && room-- == 0)
            return fitting + (fitting.find('\x1b') == std::string::npos ? "" : "\x1b[0m");
        fitting += c;
        if (escape && c == 'm') escape = false;
    }
    return fitting;
}

std::string legend(bool colour) {
    std::string text;
    for (const auto& kind : kinds)
        text += (text.empty() ? "" : "  ") + cell(kind.letter, colour) + " " + kind.name;
    return text;
}

}  // namespace

std::string fit_screen(const std::string& text, std::size_t width, std::size_t rows) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        lines.push_back(fit_line(line, width));
    if (lines.size() > rows) {
        const auto more = lines.size() - rows + 1;
        lines.resize(rows);
        lines.back() = fit_line("... " + std::to_string(more) + " more lines", width);
    }
    std::string fitting;
    for (const auto& line : lines)
        fitting += (fitting.empty() ? "" : "\n") + line;
    return fitting;
}

std::string progress_bar(std::uint64_t part, std::uint64_t whole, std::size_t width) {
    const auto inner = std::max<std::size_t>(width, 3) - 2;
    const auto share =
        whole == 0 ? 0.0L : static_cast<long double>(std::min(part, whole)) / static_cast<long double>(whole);
    auto full = static_cast<std::size_t>(share * static_cast<long double>(inner));
    if (part < whole) full = std::min(full, inner - 1);
    return "[" + std::string(full, '#') + std::string(inner - full, '.') + "]";
}

std::string watch_screen(const StatusSnapshot& snapshot, const LocalMirrors& mirrors, WatchOptions options) {
    auto text = status_screen(snapshot, mirrors, {.verbose = false, .colour = options.colour, .width = options.width});
    const auto room = std::max<std::size_t>(options.width, 24) - margin.size();
    bool any = false;
    for (const auto& part : snapshot.logs) {
        const auto* log = std::get_if<LogStatus>(&part);
        if (log == nullptr || log->region_map.empty()) continue;
        any = true;
        const auto share = percent(log->sync_count, log->region_count);
        text += "\n" + name_of(*log, mirrors) + "\n" + std::string(margin) +
                progress_bar(log->sync_count, log->region_count, room - share.size() - 1) + " " + share + "\n" +
                std::string(margin) + map_line(log->region_map, room, options.colour) + "\n";
    }
    if (any) text += "\n" + legend(options.colour) + "\n";
    return text;
}

}  // namespace cmirror::ctl
