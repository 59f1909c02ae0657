// Pieces of the screens: colours, tables, numbers for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cmirror::ctl {

enum class Colour : std::uint8_t { plain, bold, red, green, yellow, blue };

/// `text` in that colour, if colours are `on`.
std::string paint(std::string_view text, Colour colour, bool on);

/// "35/70" as "50.0%"; 100 only when it is all.
std::string percent(std::uint64_t part, std::uint64_t whole);

/// "45s", "3m20s", "2h05m", "3d04h".
std::string duration(double seconds);

/// "0.4s", "12.0s", from a minute on as duration() has it.
std::string seconds_text(std::uint64_t milliseconds);

/// Rows of cells, each column as wide as its widest cell, two spaces between them, nothing at the ends of lines.
/// Columns named in `right` are aligned to the right.
std::string table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& right);

}  // namespace cmirror::ctl
