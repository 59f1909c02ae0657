// Joins: their phases, the way to corosync and back.
#include "actors/cluster_gateway/cluster_gateway_core.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "messages/invariant.hpp"

namespace cmirror {
namespace {

bool contains(const std::vector<MemberId>& members, MemberId member) {
    return std::find(members.begin(), members.end(), member) != members.end();
}

std::string quoted(const Uuid& group) {
    return "group \"" + std::string(group.text()) + "\"";
}

}  // namespace

ClusterGatewayCore::Join::Join(const Uuid& the_group, LogId the_log, SendQueueLimits limits)
    : group(the_group),
      log(the_log),
      queue(limits),
      call_backoff(std::chrono::milliseconds(1), std::chrono::milliseconds(100)),
      join_backoff(std::chrono::milliseconds(100), std::chrono::milliseconds(2000)) {}

void ClusterGatewayCore::start(TimePoint, Effects& effects) {
    CMIRROR_INVARIANT(!connected_ && joins_.empty());
    effects.emplace_back(OpenQuorum{});
}

void ClusterGatewayCore::join(const Uuid& group, LogId log, bool in_use, TimePoint now, Effects& effects) {
    forget_left_behind(now);
    JoinId known = 0;
    if (find_wanted(group, log, known) != nullptr) {
        if (in_use) return give_way(group, log, in_use, effects);
        limited(LogLevel::warning, "joined twice", "internal: a log joins " + quoted(group) + " twice", now, effects);
        return;
    }
    const auto id = next_join_++;
    joins_.emplace(id, Join(group, log, limits_));
    by_group_[group].push_back(id);
    ++joins_of_log_[log];
    begin(id, effects);
    give_way(group, log, in_use, effects);
}

// Who waited for a leave that does not come would hold up the request that the kernel sends before it ends the other.
void ClusterGatewayCore::give_way(const Uuid& group, LogId log, bool in_use, Effects& effects) {
    std::vector<LogId> others;
    for (const auto id : by_group_.at(group)) {
        const auto& join = joins_.at(id);
        if (join.log != log && !join.leave_wanted) others.push_back(join.log);
    }
    if (!in_use && !others.empty()) others = {log};
    for (const auto other : others)
        effects.emplace_back(Tell{other, GiveWay{}});
}

void ClusterGatewayCore::begin(JoinId id, Effects& effects) {
    auto& join = joins_.at(id);
    CMIRROR_INVARIANT(join.phase == Phase::waiting && !join.leave_wanted);
    if (!connected_ || !is_first(id) || join.retry_at) return;
    join.phase = Phase::joining;
    effects.emplace_back(OpenGroup{id});
}

void ClusterGatewayCore::leave(const Uuid& group, LogId log, TimePoint, Effects& effects) {
    JoinId id = 0;
    if (find_wanted(group, log, id) != nullptr) request_leave(id, effects);
}

void ClusterGatewayCore::on_log_gone(LogId log, TimePoint, Effects& effects) {
    std::vector<JoinId> of_log;
    for (const auto& [id, join] : joins_)
        if (join.log == log && !join.leave_wanted) of_log.push_back(id);
    // Not by leaving: its kernel lives on, so the others must see a daemon go.
    for (const auto id : of_log)
        end(id, effects);
}

void ClusterGatewayCore::request_leave(JoinId id, Effects& effects) {
    auto& join = joins_.at(id);
    CMIRROR_INVARIANT(!join.leave_wanted && join.phase != Phase::leaving);
    if (join.phase == Phase::waiting) return end(id, effects);
    join.leave_wanted = true;
    if (join.phase != Phase::member || !join.queue.empty()) return;
    join.phase = Phase::leaving;
    effects.emplace_back(CallLeave{id});
}

void ClusterGatewayCore::end(JoinId id, Effects& effects) {
    const auto found = joins_.find(id);
    CMIRROR_INVARIANT(found != joins_.end());
    cancel_retry(id);
    const auto [group, log, phase, self] =
        std::tuple(found->second.group, found->second.log, found->second.phase, found->second.self);
    joins_.erase(found);
    if (phase != Phase::waiting) effects.emplace_back(CloseGroup{id});
    auto& queue = by_group_.at(group);
    std::erase(queue, id);
    const JoinId next = queue.empty() ? 0 : queue.front();
    if (next == 0) by_group_.erase(group);
    // Whatever the reason, the log learns in one way that it is out: a membership without it.
    Membership without{.self = self, .members = {}, .left = {{self, ChangeReason::leave}}, .joined = {}};
    effects.emplace_back(Tell{log, std::move(without)});
    if (--joins_of_log_.at(log) == 0) {
        joins_of_log_.erase(log);
        effects.emplace_back(Release{log});
    }
    if (next != 0 && joins_.at(next).phase == Phase::waiting) begin(next, effects);
}

void ClusterGatewayCore::rejoin(JoinId id, TimePoint now, Effects& effects) {
    auto& join = joins_.at(id);
    if (join.leave_wanted) return end(id, effects);
    CMIRROR_INVARIANT(join.phase != Phase::waiting);
    cancel_retry(id);
    effects.emplace_back(CloseGroup{id});
    effects.emplace_back(Tell{join.log, Lost{}});
    join.queue.clear();
    join.call_backoff.reset();
    join.phase = Phase::waiting;
    retry_at(id, now + join.join_backoff.next());
}

void ClusterGatewayCore::on_quorum_opened(bool opened, const std::string& why_not, TimePoint now, Effects& effects) {
    if (!opened) {
        limited(LogLevel::warning, "unreachable", "corosync cannot be reached: " + why_not + "; trying again", now,
                effects);
        return reconnect_later(now);
    }
    CMIRROR_INVARIANT(!connected_);
    connected_ = true;
    if (losses_ > 0)
        effects.emplace_back(LogLine{LogLevel::notice, "connected to corosync again", LogEvent::corosync_back});
    for (auto& [id, join] : joins_)
        if (join.phase == Phase::waiting) begin(id, effects);
}

void ClusterGatewayCore::on_group_opened(JoinId id, bool opened, const std::string& why_not, TimePoint now,
                                         Effects& effects) {
    const auto found = joins_.find(id);
    if (found == joins_.end() || found->second.phase != Phase::joining) return;
    if (!opened) return open_later(id, why_not, now, effects);
    effects.emplace_back(CallJoin{id, found->second.group});
}

// Not as if corosync were gone: it may be this process that can open nothing more, and the other groups go on. Should
// it be gone, its quorum service says so.
void ClusterGatewayCore::open_later(JoinId id, const std::string& why_not, TimePoint now, Effects& effects) {
    auto& join = joins_.at(id);
    if (join.leave_wanted) return end(id, effects);
    limited(LogLevel::error, "group not opened",
            quoted(join.group) + " cannot be joined: " + why_not + "; its requests wait, trying again", now, effects);
    join.phase = Phase::waiting;
    retry_at(id, now + join.join_backoff.next());
}

void ClusterGatewayCore::on_join_called(JoinId id, ClusterCall call, TimePoint now, Effects& effects) {
    const auto found = joins_.find(id);
    if (found == joins_.end() || found->second.phase != Phase::joining) return;
    switch (call) {
        case ClusterCall::done:
            found->second.call_backoff.reset();
            return;
        case ClusterCall::try_again:
            return call_again(id, now);
        case ClusterCall::lost:
            return on_lost("lost while joining " + quoted(found->second.group), now, effects);
        case ClusterCall::refused:
            limited(LogLevel::error, "join refused",
                    "corosync refuses to join " + quoted(found->second.group) + "; trying again", now, effects);
            return rejoin(id, now, effects);
    }
}

void ClusterGatewayCore::on_leave_called(JoinId id, ClusterCall call, TimePoint now, Effects& effects) {
    const auto found = joins_.find(id);
    if (found == joins_.end() || found->second.phase != Phase::leaving) return;
    switch (call) {
        case ClusterCall::done:
            return;
        case ClusterCall::try_again:
            return call_again(id, now);
        case ClusterCall::lost:
            return on_lost("lost while leaving " + quoted(found->second.group), now, effects);
        case ClusterCall::refused:
            // Closing the connection makes us leave as well.
            return end(id, effects);
    }
}

void ClusterGatewayCore::on_membership(JoinId id, Membership membership, TimePoint now, Effects& effects) {
    const auto found = joins_.find(id);
    if (found == joins_.end() || found->second.phase == Phase::waiting) return;
    auto& join = found->second;
    join.self = membership.self;
    if (!contains(membership.members, membership.self)) {
        if (join.phase == Phase::joining) return;
        return join.leave_wanted ? end(id, effects) : rejoin(id, now, effects);
    }
    const bool first = join.phase == Phase::joining;
    if (first) {
        join.phase = Phase::member;
        cancel_retry(id);
        join.join_backoff.reset();
    }
    if (!join.leave_wanted) {
        if (auto left_behind = first ? take_left_behind(join.group, now) : std::nullopt)
            effects.emplace_back(Tell{join.log, std::move(*left_behind)});
        effects.emplace_back(Tell{join.log, std::move(membership)});
        if (first && quorum_) effects.emplace_back(Tell{join.log, *quorum_});
    } else if (first) {
        join.phase = Phase::leaving;
        effects.emplace_back(CallLeave{id});
    }
}

void ClusterGatewayCore::on_quorum(QuorumView view, Effects& effects) {
    if (!connected_) return;
    reconnect_backoff_.reset();
    quorum_ = std::move(view);
    for (const auto& [id, join] : joins_)
        if (join.phase == Phase::member && !join.leave_wanted) effects.emplace_back(Tell{join.log, *quorum_});
}

void ClusterGatewayCore::on_lost(const std::string& what, TimePoint now, Effects& effects) {
    if (!connected_) return;
    connected_ = false;
    ++losses_;
    limited(LogLevel::error, "lost", "corosync is lost (" + what + "): kernel requests that need it wait", now, effects,
            LogEvent::corosync_lost);
    effects.emplace_back(CloseQuorum{});
    quorum_.reset();
    std::vector<JoinId> leaving;
    for (auto& [id, join] : joins_) {
        if (join.phase == Phase::waiting) continue;
        if (join.leave_wanted) {
            leaving.push_back(id);
            continue;
        }
        effects.emplace_back(CloseGroup{id});
        effects.emplace_back(Tell{join.log, Lost{}});
        effects.emplace_back(Tell{join.log, QuorumView{}});
        cancel_retry(id);
        join.call_backoff.reset();
        join.queue.clear();
        join.phase = Phase::waiting;
    }
    for (const auto id : leaving)
        end(id, effects);
    reconnect_later(now);
}

void ClusterGatewayCore::shut_down(Effects& effects) {
    std::vector<JoinId> all;
    for (auto& [id, join] : joins_) {
        all.push_back(id);
        if (join.phase == Phase::member) effects.emplace_back(CallLeave{id});
    }
    connected_ = false;  // nothing begins any more
    for (const auto id : all)
        end(id, effects);
    effects.emplace_back(CloseQuorum{});
    retries_.clear();
    CMIRROR_INVARIANT(joins_.empty() && by_group_.empty() && joins_of_log_.empty());
}

}  // namespace cmirror
