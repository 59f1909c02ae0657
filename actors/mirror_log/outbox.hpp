// The ops that this member multicasts: numbered without gaps, kept until they were delivered back.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "actors/mirror_log/effects.hpp"
#include "messages/cluster_message.hpp"
#include "messages/latency_histogram.hpp"

namespace cmirror::mirror_log {

/// corosync may lose a message that it has accepted (design.md, rule 9): what was not delivered back is sent again.
class Outbox {
  public:
    /// Without news of an op that was sent, it is sent again after this time.
    static constexpr Instant resend_after = std::chrono::seconds{2};

    /// A new join: numbers start at 0, nothing is kept.
    void start(JoinToken token, Luid luid) {
        token_ = token;
        luid_ = luid;
        first_ = 0;
        sent_ = 0;
        ops_.clear();
        timed_.reset();
    }

    /// Numbers the op; it is sent by the next send().
    std::uint64_t add(Op op) {
        ops_.push_back(op);
        return first_ + ops_.size() - 1;
    }
    std::uint64_t next_seq() const { return first_ + ops_.size(); }

    /// Sends what was added since the last time.
    void send(Effects& effects, Instant now);
    /// Ops below `next` were delivered back.
    void delivered(std::uint64_t next, Instant now);
    /// A later message of ours came before ops that were sent, or none came at all: send them all again.
    void send_again(Effects& effects, Instant now);

    bool has_unsent() const { return sent_ < next_seq(); }
    /// Sent, and not delivered back yet.
    bool has_undelivered() const { return sent_ > first_; }
    std::size_t size() const { return ops_.size(); }
    /// When send_again() is due if nothing is delivered until then; only with has_undelivered().
    Instant resend_due() const { return heard_at_ + resend_after; }

    /// How long ops took from their first send to their delivery; of those that are sent together, the last.
    const LatencyHistogram& round_time() const { return round_time_; }

  private:
    struct Timed {
        std::uint64_t next = 0;
        Instant sent_at{};
    };

    JoinToken token_ = 0;
    Luid luid_ = 0;
    /// Number of ops_.front().
    std::uint64_t first_ = 0;
    /// Ops below this were sent.
    std::uint64_t sent_ = 0;
    std::deque<Op> ops_;
    Instant heard_at_{};
    /// The round that is measured at present: one at a time.
    std::optional<Timed> timed_;
    LatencyHistogram round_time_;
};

}  // namespace cmirror::mirror_log
