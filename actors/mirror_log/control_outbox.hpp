// Messages of this member that are no ops (Hello, Valid, Confirm, ...), until they were delivered back.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <utility>

#include "actors/mirror_log/effects.hpp"

namespace cmirror::mirror_log {

/// corosync may lose a message that it has accepted (design.md, rule 9). Own messages are delivered in the order in
/// which they were sent: one that is overtaken, or that does not come at all, is sent again. Whoever receives them
/// takes one that comes twice for what it is. Ops, and a state with where it begins, are looked after elsewhere.
class ControlOutbox {
  public:
    /// Without news of a message it is sent again after this time.
    static constexpr Instant resend_after = std::chrono::seconds{2};

    void start() { sent_.clear(); }

    /// To be called once for the effects of an event: what they send is awaited from now on.
    void note(const Effects& effects, Instant now) {
        // What was sent before a leave belongs to an earlier join.
        const auto left = std::find_if(effects.rbegin(), effects.rend(), [](const Effect& effect) {
            return std::holds_alternative<LeaveEffect>(effect) || std::holds_alternative<JoinEffect>(effect);
        });
        for (auto i = left.base(); i != effects.end(); ++i) {
            const auto* send = std::get_if<SendEffect>(&*i);
            if (send == nullptr || !is_control(send->message)) continue;
            if (sent_.empty()) heard_at_ = now;
            sent_.push_back(send->message);
        }
    }
    /// One of our messages came back.
    void delivered(const ClusterMessage& message, Instant now, Effects& effects) {
        if (!is_control(message)) return;
        const auto found = std::find(sent_.begin(), sent_.end(), message);
        if (found == sent_.end()) return;
        // What came before it is lost; and without that it may have meant nothing.
        if (found != sent_.begin()) return send_again(now, effects);
        heard_at_ = now;
        sent_.pop_front();
    }
    void send_again(Instant now, Effects& effects) {
        heard_at_ = now;
        for (ClusterMessage& message : std::exchange(sent_, {}))
            effects.emplace_back(SendEffect{std::move(message)});
    }
    bool has_undelivered() const { return !sent_.empty(); }
    /// Only with has_undelivered().
    Instant resend_due() const { return heard_at_ + resend_after; }

  private:
    static bool is_control(const ClusterMessage& message) {
        return std::holds_alternative<Hello>(message) || std::holds_alternative<Valid>(message) ||
               std::holds_alternative<Confirm>(message) || std::holds_alternative<Standing>(message) ||
               std::holds_alternative<Anew>(message);
    }

    std::deque<ClusterMessage> sent_;
    Instant heard_at_{};
};

}  // namespace cmirror::mirror_log
