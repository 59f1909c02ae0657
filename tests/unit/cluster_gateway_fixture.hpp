// The core of the cluster gateway, and what it asks for in words.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "actors/cluster_gateway/cluster_gateway_core.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror {

using test::uuid;
using Core = ClusterGatewayCore;

inline const MemberId self{1, 100};
inline const MemberId peer{2, 200};

/// What the core asked for, as words, in order: "open 1", "join 1", "multicast 1", "tell 7 member", ...
inline std::string words_of(const Core::Effect& effect) {
    const auto with = [](const char* word, JoinId join) { return word + (" " + std::to_string(join)); };
    if (std::holds_alternative<Core::OpenQuorum>(effect)) return "open quorum";
    if (std::holds_alternative<Core::CloseQuorum>(effect)) return "close quorum";
    if (const auto* open = std::get_if<Core::OpenGroup>(&effect)) return with("open", open->join);
    if (const auto* join = std::get_if<Core::CallJoin>(&effect)) return with("join", join->join);
    if (const auto* leave = std::get_if<Core::CallLeave>(&effect)) return with("leave", leave->join);
    if (const auto* send = std::get_if<Core::CallMulticast>(&effect)) return with("multicast", send->join);
    if (const auto* close = std::get_if<Core::CloseGroup>(&effect)) return with("close", close->join);
    if (const auto* release = std::get_if<Core::Release>(&effect)) return with("release", release->log);
    if (std::holds_alternative<LogLine>(effect)) return "line";
    const auto& tell = std::get<Core::Tell>(effect);
    auto text = with("tell", tell.log);
    if (const auto* membership = std::get_if<Membership>(&tell.news)) {
        const auto& members = membership->members;
        const bool in = std::find(members.begin(), members.end(), self) != members.end();
        return text + (in ? " member" : " out");
    }
    if (std::holds_alternative<Core::DeliveredMessage>(tell.news)) return text + " message";
    if (const auto* view = std::get_if<QuorumView>(&tell.news))
        return text + (view->quorate ? " quorum" : " no quorum");
    if (const auto* left = std::get_if<LeftBehind>(&tell.news))
        return text + " left behind " + std::to_string(left->state.size());
    return text + (std::holds_alternative<Core::GiveWay>(tell.news) ? " give way" : " lost");
}

using Words = std::vector<std::string>;

inline LeftBehind left(std::size_t size, bool last = true) {
    return {std::vector<std::byte>(size), last};
}

class ClusterGatewayCoreTest : public testing::Test {
  protected:
    /// What was asked for since the last call; lines are left out.
    Words take() {
        Words words;
        for (const auto& effect : std::exchange(effects, {})) {
            auto word = words_of(effect);
            if (word != "line") words.push_back(std::move(word));
        }
        return words;
    }
    std::size_t lines() const {
        return static_cast<std::size_t>(std::count_if(effects.begin(), effects.end(), [](const auto& effect) {
            return std::holds_alternative<LogLine>(effect);
        }));
    }
    void connect() {
        core.start(now, effects);
        core.on_quorum_opened(true, {}, now, effects);
        core.on_quorum({true, 1, {1, 2}}, effects);
    }
    void confirm(JoinId join) { core.on_membership(join, {self, {self, peer}, {}, {}}, now, effects); }
    /// The log is a member of "log" with join `id`.
    void enter(LogId log, JoinId id) {
        core.join(uuid("log"), log, true, now, effects);
        core.on_group_opened(id, true, {}, now, effects);
        core.on_join_called(id, ClusterCall::done, now, effects);
        confirm(id);
        take();
    }
    void multicast(LogId log, JoinToken token = 1) { core.multicast(uuid("log"), log, Valid{token}, now, effects); }
    void advance(std::chrono::nanoseconds time) {
        now += time;
        core.on_timer(now, effects);
    }
    std::string counter(std::string_view name) const {
        for (const auto& [field, value] : core.status().fields)
            if (field == name) return value;
        return "none";
    }

    TimePoint now;
    Core::Effects effects;
    Core core{SendQueueLimits{.frames_max = 3, .bytes_max = 4096}};
};

}  // namespace cmirror
