#include "main/ctl/cmirrortab.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "main/ctl/whole_file.hpp"
#include "messages/identity.hpp"

namespace cmirror::ctl {
namespace {

using Text = Failure<std::string>;

constexpr std::string_view tab_header =
    "# Cluster mirrors of this node: cmirrortab(5). The lines are the same on all nodes.\n"
    "# <name> <leg>,<leg>[,...] <log device or none> <option>[,...]\n";

struct Unit {
    char letter;
    std::uint64_t sectors;
};
constexpr std::array units{Unit{'T', 1ULL << 31U}, Unit{'G', 1ULL << 21U}, Unit{'M', 1ULL << 11U}, Unit{'K', 2},
                           Unit{'s', 1}};

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    std::istringstream in{std::string(text)};
    for (std::string part; std::getline(in, part, ',');)
        parts.push_back(part);
    return parts;
}

/// Empty: the option is taken.
std::string take_option(const std::string& option, TabEntry& entry) {
    const auto sign = option.find('=');
    const auto name = option.substr(0, sign);
    const auto value = sign == std::string::npos ? std::string{} : option.substr(sign + 1);
    if (option == "noauto") {
        entry.noauto = true;
    } else if (option == "block-on-error") {
        entry.block_on_error = true;
    } else if (name == "uuid") {
        if (!Uuid::from_text(value) || value.empty()) return "\"" + value + "\" is no uuid of a log";
        entry.log_uuid = value;
    } else if (name == "size" || name == "region-size") {
        const auto sectors = sectors_in(value);
        if (!sectors) return name + ": " + sectors.error();
        (name == "size" ? entry.sectors : entry.region_sectors) = *sectors;
    } else {
        return "unknown option \"" + option + "\"";
    }
    return {};
}

}  // namespace

Result<std::uint64_t, std::string> sectors_in(std::string_view text) {
    const auto wrong =
        Text("\"" + std::string(text) + "\" is no size: a number with K, M, G, T, or s for sectors of 512 bytes");
    if (text.empty()) return wrong;
    const auto* unit =
        std::find_if(units.begin(), units.end(), [&](const Unit& one) { return one.letter == text.back(); });
    if (unit == units.end()) return wrong;
    text.remove_suffix(1);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    // The kernel's sectors have 64 bits, its bytes 63.
    constexpr std::uint64_t most = 1ULL << 54U;
    if (error != std::errc{} || end != text.data() + text.size() || number == 0 || number > most / unit->sectors)
        return wrong;
    return number * unit->sectors;
}

std::string size_text(std::uint64_t sectors) {
    for (const auto& unit : units)
        if (sectors % unit.sectors == 0) return std::to_string(sectors / unit.sectors) + unit.letter;
    return {};
}

bool is_mirror_name(std::string_view name) {
    constexpr std::size_t longest = 120;
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
    return !name.empty() && name.size() <= longest && name.front() != '-' && name != "." && name != ".." &&
           name.find_first_not_of(letters) == std::string_view::npos;
}

std::string tab_line(const TabEntry& entry) {
    std::string legs;
    for (const auto& leg : entry.legs)
        legs += (legs.empty() ? "" : ",") + leg;
    return entry.name + " " + legs + " " + (entry.log_device.empty() ? "none" : entry.log_device) +
           " size=" + size_text(entry.sectors) + ",region-size=" + size_text(entry.region_sectors) +
           ",uuid=" + entry.log_uuid + (entry.block_on_error ? ",block-on-error" : "") +
           (entry.noauto ? ",noauto" : "");
}

Result<TabEntry, std::string> parse_tab_line(std::string_view line) {
    std::istringstream in{std::string(line)};
    TabEntry entry;
    std::string legs;
    std::string log;
    std::string options;
    std::string more;
    if (!(in >> entry.name >> legs >> log >> options) || in >> more)
        return Text("it has not four fields: name, legs, log, options");
    if (!is_mirror_name(entry.name)) return Text("\"" + entry.name + "\" is no name for a mirror");
    entry.legs = split(legs);
    if (entry.legs.size() < 2) return Text("a mirror has two legs at least, with a comma between them");
    if (log != "none" && log != "-") entry.log_device = log;
    for (const auto& path : entry.legs)
        if (!path.starts_with('/')) return Text("\"" + path + "\" is no path of a device");
    for (const auto& option : split(options))
        if (const auto wrong = take_option(option, entry); !wrong.empty()) return Text(wrong);
    if (entry.sectors == 0 || entry.region_sectors == 0) return Text("size= and region-size= are needed");
    if ((entry.region_sectors & (entry.region_sectors - 1)) != 0 || entry.region_sectors < 8 ||
        entry.region_sectors > entry.sectors)
        return Text("the region size must be a power of two, from 4K up to the size");
    if (entry.log_uuid.empty()) entry.log_uuid = "CMIRROR-" + entry.name;
    return entry;
}

Result<Cmirrortab, std::string> Cmirrortab::parse(std::string_view text) {
    Cmirrortab tab;
    std::istringstream in{std::string(text)};
    std::size_t number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        const auto begin = line.find_first_not_of(" \t");
        if (begin == std::string::npos || line[begin] == '#') {
            tab.lines_.push_back({line});
            continue;
        }
        auto entry = parse_tab_line(line);
        const auto at = "line " + std::to_string(number) + ": ";
        if (!entry) return Text(at + entry.error());
        if (tab.find(entry->name) != nullptr) return Text(at + entry->name + " is there twice");
        tab.lines_.push_back({line, entry->name});
        tab.entries_.push_back(std::move(*entry));
    }
    return tab;
}

const TabEntry* Cmirrortab::find(std::string_view name) const {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const TabEntry& entry) { return entry.name == name; });
    return found == entries_.end() ? nullptr : &*found;
}

void Cmirrortab::put(const TabEntry& entry) {
    for (auto& known : entries_) {
        if (known.name != entry.name) continue;
        known = entry;
        for (auto& line : lines_)
            if (line.name == entry.name) line.text = tab_line(entry);
        return;
    }
    if (lines_.empty()) {
        std::istringstream in{std::string(tab_header)};
        for (std::string line; std::getline(in, line);)
            lines_.push_back({line});
    }
    lines_.push_back({tab_line(entry), entry.name});
    entries_.push_back(entry);
}

bool Cmirrortab::erase(std::string_view name) {
    const auto erased = std::erase_if(entries_, [&](const TabEntry& entry) { return entry.name == name; });
    std::erase_if(lines_, [&](const Line& line) { return !line.name.empty() && line.name == name; });
    return erased > 0;
}

std::string Cmirrortab::text() const {
    std::string text;
    for (const auto& line : lines_)
        text += line.text + "\n";
    return text;
}

Result<Cmirrortab, std::string> load_tab(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error) && !error) return Cmirrortab{};
    std::ifstream in(path);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf()).good())
        if (!in || in.bad()) return Text(path + ": cannot be read");
    auto tab = Cmirrortab::parse(text.str());
    if (!tab) return Text(path + ": " + tab.error());
    return tab;
}

Result<void, std::string> save_tab(const std::string& path, const Cmirrortab& tab) {
    return replace_file(path, tab.text(), 0644);
}

MirrorTable table_of(const TabEntry& entry, const std::string& log_device) {
    MirrorTable table{.log_uuid = entry.log_uuid,
                      .log_device = log_device,
                      .region_sectors = entry.region_sectors,
                      .options = {},
                      .legs = entry.legs};
    if (entry.block_on_error) table.options.emplace_back("block_on_error");
    return table;
}

}  // namespace cmirror::ctl
