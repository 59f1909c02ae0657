// Frames that are sent and delivered, attempts that are made again, and what is counted.
#include <algorithm>
#include <utility>

#include "actors/cluster_gateway/cluster_gateway_core.hpp"
#include "messages/invariant.hpp"

namespace cmirror {

ClusterGatewayCore::Join* ClusterGatewayCore::find_wanted(const Uuid& group, LogId log, JoinId& id) {
    const auto found = by_group_.find(group);
    if (found == by_group_.end()) return nullptr;
    for (const auto candidate : found->second) {
        auto& join = joins_.at(candidate);
        if (join.log != log || join.leave_wanted) continue;
        id = candidate;
        return &join;
    }
    return nullptr;
}

bool ClusterGatewayCore::is_first(JoinId id) const {
    return by_group_.at(joins_.at(id).group).front() == id;
}

void ClusterGatewayCore::multicast(const Uuid& group, LogId log, const ClusterMessage& message, TimePoint now,
                                   Effects& effects) {
    JoinId id = 0;
    auto* join = find_wanted(group, log, id);
    if (join == nullptr || join->phase != Phase::member) {
        // Sent before the log learned that its join had ended: it belongs to no join, and must not reach the next.
        ++stray_;
        limited(LogLevel::info, "stray", "a message for a group that is not joined was discarded", now, effects);
        return;
    }
    const bool idle = join->queue.empty();
    if (!join->queue.push(pack_cluster_message(message, group))) {
        ++overflows_;
        effects.emplace_back(LogLine{
            LogLevel::error, "corosync takes no messages for group \"" + std::string(group.text()) +
                                 "\": " + std::to_string(join->queue.size()) + " messages (" +
                                 std::to_string(join->queue.bytes()) + " bytes) wait, the group is joined again"});
        return rejoin(id, now, effects);
    }
    if (idle) effects.emplace_back(CallMulticast{id});
}

std::span<const std::byte> ClusterGatewayCore::next_frame(JoinId id) const {
    const auto found = joins_.find(id);
    if (found == joins_.end() || found->second.phase != Phase::member || found->second.queue.empty()) return {};
    return found->second.queue.front();
}

void ClusterGatewayCore::on_multicast_called(JoinId id, ClusterCall call, TimePoint now, Effects& effects) {
    const auto found = joins_.find(id);
    if (found == joins_.end() || found->second.phase != Phase::member) return;
    auto& join = found->second;
    CMIRROR_INVARIANT(!join.queue.empty());
    switch (call) {
        case ClusterCall::done:
            ++sent_;
            join.queue.pop();
            join.call_backoff.reset();
            if (!join.queue.empty()) {
                effects.emplace_back(CallMulticast{id});
            } else if (join.leave_wanted) {
                join.phase = Phase::leaving;
                effects.emplace_back(CallLeave{id});
            }
            return;
        case ClusterCall::try_again:
            ++busy_;
            return call_again(id, now);
        case ClusterCall::lost:
            return on_lost("lost while sending", now, effects);
        case ClusterCall::refused:
            limited(LogLevel::error, "send refused",
                    "corosync refuses a message of " + std::to_string(join.queue.front().size()) +
                        " bytes for group \"" + std::string(join.group.text()) + "\": the group is joined again",
                    now, effects);
            return rejoin(id, now, effects);
    }
}

void ClusterGatewayCore::on_delivered(JoinId id, MemberId sender, std::span<const std::byte> frame, TimePoint now,
                                      Effects& effects) {
    const auto found = joins_.find(id);
    if (found == joins_.end()) return;
    const auto& join = found->second;
    if (join.phase != Phase::member || join.leave_wanted) return;
    auto message = unpack_cluster_message(frame, join.group);
    if (!message) return count_fault(message.error(), join, sender, now, effects);
    ++delivered_;
    DeliveredMessage news{sender, std::make_shared<const ClusterMessage>(std::move(*message))};
    effects.emplace_back(Tell{join.log, std::move(news)});
}

void ClusterGatewayCore::count_fault(ClusterFrameFault fault, const Join& join, MemberId sender, TimePoint now,
                                     Effects& effects) {
    const auto kind = static_cast<std::size_t>(fault);
    CMIRROR_INVARIANT(kind < fault_kinds);
    ++faults_[kind];
    const auto from =
        " from node " + std::to_string(sender.node) + " in group \"" + std::string(join.group.text()) + "\"";
    if (fault == ClusterFrameFault::old_version) {
        // One error a peer (spec/cluster-v5.md).
        if (old_peers_.size() >= old_peers_max || !old_peers_.insert(sender.node).second) return;
        effects.emplace_back(LogLine{LogLevel::error, "refused a message of an old protocol version" + from +
                                                          ": upgrade the cmirrord of that node"});
        return;
    }
    const auto name = std::string(name_of(fault));
    limited(LogLevel::warning, name, "dropped a bad message (" + name + ")" + from, now, effects);
}

void ClusterGatewayCore::call_again(JoinId id, TimePoint now) {
    retry_at(id, now + joins_.at(id).call_backoff.next());
}

void ClusterGatewayCore::retry_at(JoinId id, TimePoint due) {
    auto& join = joins_.at(id);
    CMIRROR_INVARIANT(!join.retry_at);
    join.retry_at = due;
    retries_.emplace(due, id);
}

void ClusterGatewayCore::cancel_retry(JoinId id) {
    auto& join = joins_.at(id);
    if (!join.retry_at) return;
    retries_.erase({*join.retry_at, id});
    join.retry_at.reset();
}

void ClusterGatewayCore::reconnect_later(TimePoint now) {
    CMIRROR_INVARIANT(!connected_);
    retries_.emplace(now + reconnect_backoff_.next(), whole_cluster);
}

void ClusterGatewayCore::on_timer(TimePoint now, Effects& effects) {
    forget_left_behind(now);
    // What fails again is due later than now.
    while (!retries_.empty() && retries_.begin()->first <= now) {
        const auto id = retries_.begin()->second;
        if (id == whole_cluster) {
            retries_.erase(retries_.begin());
            effects.emplace_back(OpenQuorum{});
        } else {
            cancel_retry(id);
            retry(id, effects);
        }
    }
}

void ClusterGatewayCore::retry(JoinId id, Effects& effects) {
    auto& join = joins_.at(id);
    switch (join.phase) {
        case Phase::waiting:
            return begin(id, effects);
        case Phase::joining:
            effects.emplace_back(CallJoin{id, join.group});
            return;
        case Phase::member:
            CMIRROR_INVARIANT(!join.queue.empty());
            effects.emplace_back(CallMulticast{id});
            return;
        case Phase::leaving:
            effects.emplace_back(CallLeave{id});
            return;
    }
}

std::optional<TimePoint> ClusterGatewayCore::next_due() const {
    std::optional<TimePoint> due;
    if (!retries_.empty()) due = retries_.begin()->first;
    if (!left_behind_.empty()) due = std::min(due.value_or(TimePoint::max()), left_behind_.front().until);
    return due;
}

void ClusterGatewayCore::limited(LogLevel level, std::string_view kind, std::string text, TimePoint now,
                                 Effects& effects, LogEvent event) {
    LogLines lines;
    limiter_.add(lines, level, kind, std::move(text), now);
    for (auto& line : lines) {
        line.event = event;
        effects.emplace_back(std::move(line));
    }
}

ActorStatus ClusterGatewayCore::status() const {
    ActorStatus status{.heading = "CLUSTER COMPONENT DEBUGGING::", .fields = {}};
    const auto add = [&status](std::string name, std::uint64_t value) {
        status.fields.emplace_back(std::move(name), std::to_string(value));
    };
    std::size_t frames = 0;
    std::size_t bytes = 0;
    for (const auto& [id, join] : joins_) {
        frames += join.queue.size();
        bytes += join.queue.bytes();
    }
    status.fields.emplace_back("connected", connected_ ? "YES" : "NO");
    status.fields.emplace_back("quorum", quorum_ && quorum_->quorate ? "YES" : "NO");
    add("ring", quorum_ ? quorum_->ring : 0);
    add("nodes", quorum_ ? quorum_->nodes.size() : 0);
    std::string nodes;
    for (const NodeId node : quorum_ ? quorum_->nodes : std::vector<NodeId>{})
        nodes += (nodes.empty() ? "" : " ") + std::to_string(node);
    status.fields.emplace_back("node_list", nodes);
    add("groups", by_group_.size());
    add("sent", sent_);
    add("delivered", delivered_);
    add("queued", frames);
    add("queued_bytes", bytes);
    add("try_again", busy_);
    add("overflows", overflows_);
    add("stray", stray_);
    add("losses", losses_);
    for (std::size_t kind = 0; kind < fault_kinds; ++kind) {
        if (faults_[kind] == 0) continue;
        auto name = "fault " + std::string(name_of(static_cast<ClusterFrameFault>(kind)));
        add(std::move(name), faults_[kind]);
    }
    return status;
}

}  // namespace cmirror
