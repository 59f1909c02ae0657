// What is wrong, and what to do about it.
#pragma once

#include <string>
#include <vector>

#include "main/ctl/local_mirrors.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror::ctl {

/// The device's name, else the log's uuid.
std::string name_of(const LogStatus& log, const LocalMirrors& mirrors);

struct Problem {
    /// A mirror's name; empty: the daemon as a whole.
    std::string where;
    std::string what;
    /// What to do; empty: it goes by itself.
    std::string advice;

    friend bool operator==(const Problem&, const Problem&) = default;
};

/// None: healthy.
std::vector<Problem> problems_of(const StatusSnapshot& snapshot, const LocalMirrors& mirrors);

/// The value of a field of one of the daemon's parts, or an empty text. `part` as in the JSON: "cluster".
std::string field_of(const StatusSnapshot& snapshot, std::string_view part, std::string_view field);

}  // namespace cmirror::ctl
