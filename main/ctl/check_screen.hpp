// What `cmirrorctl check` finds.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "main/ctl/cmirrortab.hpp"
#include "messages/result.hpp"
#include "messages/status_snapshot.hpp"
#include "messages/system_facts.hpp"

namespace cmirror::ctl {

struct Finding {
    bool good = false;
    std::string what;
    /// What to do; empty for what is good.
    std::string advice = {};

    friend bool operator==(const Finding&, const Finding&) = default;
};

/// `daemon` is its snapshot, or why it cannot be asked.
std::vector<Finding> findings_of(const SystemFacts& facts, const Result<StatusSnapshot, std::string>& daemon,
                                 const std::string& own_version);
/// Whether the tab makes sense and its mirrors are active. `mirrors`: names of those that are.
std::vector<Finding> findings_of_tab(const Result<Cmirrortab, std::string>& tab, const std::set<std::string>& mirrors);
/// A line each, and what to do.
std::string check_screen(const std::vector<Finding>& findings, bool colour);
std::string check_document(const std::vector<Finding>& findings);

}  // namespace cmirror::ctl
