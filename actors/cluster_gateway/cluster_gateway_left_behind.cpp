// What instances that leave know of others, until the next one of their group joins on this node (design.md, rule 10).
#include <algorithm>
#include <utility>

#include "actors/cluster_gateway/cluster_gateway_core.hpp"

namespace cmirror {

void ClusterGatewayCore::leave_behind(const Uuid& group, LeftBehind left, TimePoint now) {
    if (left.state.empty()) return;
    take_left_behind(group, now);
    left_behind_.push_back({group, now + left_behind_for, std::move(left)});
    std::size_t bytes = 0;
    for (const Left& kept : left_behind_)
        bytes += kept.what.state.size();
    for (; bytes > left_behind_max; left_behind_.pop_front())
        bytes -= left_behind_.front().what.state.size();
}

std::optional<LeftBehind> ClusterGatewayCore::take_left_behind(const Uuid& group, TimePoint now) {
    forget_left_behind(now);
    const auto found = std::find_if(left_behind_.begin(), left_behind_.end(),
                                    [&group](const Left& left) { return left.group == group; });
    if (found == left_behind_.end()) return std::nullopt;
    auto taken = std::move(found->what);
    left_behind_.erase(found);
    return taken;
}

void ClusterGatewayCore::forget_left_behind(TimePoint now) {
    // Who joins is told once it is a member, however long corosync takes for that.
    for (std::size_t n = left_behind_.size(); n > 0 && left_behind_.front().until <= now; --n) {
        Left oldest = std::move(left_behind_.front());
        left_behind_.pop_front();
        if (!someone_joins(oldest.group)) continue;
        oldest.until = now + left_behind_for;
        left_behind_.push_back(std::move(oldest));
    }
}

bool ClusterGatewayCore::someone_joins(const Uuid& group) const {
    const auto found = by_group_.find(group);
    return found != by_group_.end() && std::any_of(found->second.begin(), found->second.end(), [this](JoinId id) {
               const Join& join = joins_.at(id);
               return !join.leave_wanted && (join.phase == Phase::waiting || join.phase == Phase::joining);
           });
}

}  // namespace cmirror
