#include "main/ctl/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace cmirror::ctl {
namespace {

std::string two_parts(std::uint64_t high, const char* high_unit, std::uint64_t low, const char* low_unit) {
    char text[64];
    std::snprintf(text, sizeof text, "%llu%s%02llu%s", static_cast<unsigned long long>(high), high_unit,
                  static_cast<unsigned long long>(low), low_unit);
    return text;
}

}  // namespace

std::string paint(std::string_view text, Colour colour, bool on) {
    if (!on || colour == Colour::plain) return std::string(text);
    const char* codes[] = {"0", "1", "31", "32", "33", "34"};
    return "\x1b[" + std::string(codes[static_cast<std::size_t>(colour)]) + "m" + std::string(text) + "\x1b[0m";
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
    if (whole == 0) return "-";
    const auto share = static_cast<long double>(std::min(part, whole)) * 1000 / static_cast<long double>(whole);
    const auto tenths = part >= whole ? 1000U : std::min(999U, static_cast<unsigned>(share));
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "%";
}

std::string duration(double seconds) {
    constexpr double years_100 = 3.2e9;
    const auto whole = static_cast<std::uint64_t>(std::lround(std::clamp(seconds, 0.0, years_100)));
    if (whole < 60) return std::to_string(whole) + "s";
    if (whole < 3600) return two_parts(whole / 60, "m", whole % 60, "s");
    if (whole < 86400) return two_parts(whole / 3600, "h", whole % 3600 / 60, "m");
    return two_parts(whole / 86400, "d", whole % 86400 / 3600, "h");
}

std::string seconds_text(std::uint64_t milliseconds) {
    constexpr std::uint64_t minute = 60'000;
    if (milliseconds >= minute) return duration(static_cast<double>(milliseconds) / 1e3);
    return std::to_string(milliseconds / 1000) + "." + std::to_string(milliseconds % 1000 / 100) + "s";
}

std::string table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& right) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t column = 0; column < row.size(); ++column)
            widths[column] = std::max(widths[column], row[column].size());
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t column = 0; column < row.size(); ++column) {
            const std::string padding(widths[column] - row[column].size(), ' ');
            const bool to_right = std::find(right.begin(), right.end(), column) != right.end();
            line += (column == 0 ? "" : "  ") + (to_right ? padding + row[column] : row[column] + padding);
        }
        line.resize(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

}  // namespace cmirror::ctl
