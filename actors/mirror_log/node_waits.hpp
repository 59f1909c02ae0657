// Nodes of which something has been so for some time, and what follows when that was long enough.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "actors/mirror_log/effects.hpp"
#include "actors/mirror_log/log_config.hpp"

namespace cmirror::mirror_log {

class NodeWaits {
  public:
    /// It is so of these: the others are forgotten, new ones are waited for from now on.
    void keep(const std::set<NodeId>& nodes, Instant now) {
        std::erase_if(since_, [&nodes](const auto& wait) { return !nodes.contains(wait.first); });
        for (const NodeId node : nodes)
            since_.try_emplace(node, now);
    }
    void clear() { since_.clear(); }

    /// Those of which it has been so for `limit`; their time begins anew. A daemon that was stopped first hears what
    /// became of them meanwhile.
    std::vector<NodeId> take_overdue(Instant limit, Instant now) {
        std::vector<NodeId> overdue;
        for (auto& [node, since] : since_) {
            const Instant due = since + limit;
            if (now < due) continue;
            if (now - due > stopped_when_late_by) {
                since = now - limit + stopped_when_late_by;
                continue;
            }
            overdue.push_back(node);
            since = now;
        }
        return overdue;
    }
    /// When take_overdue() may have one.
    std::optional<Instant> next_due(Instant limit) const {
        const auto first = std::min_element(since_.begin(), since_.end(),
                                            [](const auto& a, const auto& b) { return a.second < b.second; });
        if (first == since_.end()) return std::nullopt;
        return first->second + limit;
    }

  private:
    std::map<NodeId, Instant> since_;
};

}  // namespace cmirror::mirror_log
