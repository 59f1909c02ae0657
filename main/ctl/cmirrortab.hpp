// /etc/cmirrortab: one line a mirror, as cmirrortab(5) describes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "main/ctl/mirror_table.hpp"
#include "messages/result.hpp"

namespace cmirror::ctl {

/// `name legs log options`.
struct TabEntry {
    std::string name;
    /// Paths.
    std::vector<std::string> legs;
    /// A path; empty ("none" in the file): the log is kept in the memory of the cluster alone.
    std::string log_device = {};
    std::uint64_t sectors = 0;
    std::uint64_t region_sectors = 0;
    std::string log_uuid;
    bool block_on_error = false;
    /// Not activated with the others.
    bool noauto = false;

    friend bool operator==(const TabEntry&, const TabEntry&) = default;
};

std::string tab_line(const TabEntry& entry);
/// An error's text says what is wrong with it.
Result<TabEntry, std::string> parse_tab_line(std::string_view line);

/// The file's lines, comments and empty ones included.
class Cmirrortab {
  public:
    /// An error's text has the line's number.
    static Result<Cmirrortab, std::string> parse(std::string_view text);

    const std::vector<TabEntry>& entries() const { return entries_; }
    /// Null if there is none of that name.
    const TabEntry* find(std::string_view name) const;
    /// Adds it, or puts it in place of the one with its name. All other lines stay as they are.
    void put(const TabEntry& entry);
    /// False if there is none of that name.
    bool erase(std::string_view name);
    std::string text() const;

  private:
    struct Line {
        std::string text;
        /// Empty for comments and empty lines.
        std::string name = {};
    };
    std::vector<Line> lines_;
    std::vector<TabEntry> entries_;
};

/// A file that does not exist is an empty one.
Result<Cmirrortab, std::string> load_tab(const std::string& path);
/// The file is replaced as a whole: there is always an old or a new one.
Result<void, std::string> save_tab(const std::string& path, const Cmirrortab& tab);

/// What the kernel is given. `log_device` as the daemon is to open it: "8:32", or a path.
MirrorTable table_of(const TabEntry& entry, const std::string& log_device);

/// "512K", "64M", "1G", "2T", "1024s" (sectors); whole sectors, at least one. An error's text says what is accepted.
Result<std::uint64_t, std::string> sectors_in(std::string_view text);
/// The shortest text that sectors_in() reads as that.
std::string size_text(std::uint64_t sectors);
/// Names that the device mapper takes as they are and that are words of the tab.
bool is_mirror_name(std::string_view name);

}  // namespace cmirror::ctl
