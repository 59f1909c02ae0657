// Partitions that merge: what each side's members have said of their states (design.md, rule 8).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "messages/cluster_message.hpp"
#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// From the membership in which the sides see each other until all have spoken.
struct Merging {
    /// Members that had this member's state before.
    std::set<MemberId> own_side;
    std::map<MemberId, Standing> standings;
    /// Those that are to speak.
    std::set<MemberId> expected;
    /// Of those that have spoken and left since.
    std::optional<std::pair<MemberId, Standing>> best_gone;
    bool best_gone_is_own = false;
};

}  // namespace cmirror::mirror_log
