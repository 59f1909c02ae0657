#include "actors/mirror_log/outbox.hpp"

#include <algorithm>

#include "messages/invariant.hpp"
#include "messages/wire_cluster.hpp"

namespace cmirror::mirror_log {

void Outbox::send(Effects& effects, Instant now) {
    if (!has_undelivered()) heard_at_ = now;
    while (has_unsent()) {
        Ops message{token_, sent_, luid_, {}};
        const std::size_t begin = sent_ - first_;
        const std::size_t end = std::min(ops_.size(), begin + ops_count_max);
        message.ops.assign(ops_.begin() + static_cast<std::ptrdiff_t>(begin),
                           ops_.begin() + static_cast<std::ptrdiff_t>(end));
        sent_ += message.ops.size();
        effects.emplace_back(SendEffect{std::move(message)});
    }
    if (!timed_ && has_undelivered()) timed_ = Timed{sent_, now};
}

void Outbox::delivered(std::uint64_t next, Instant now) {
    CMIRROR_INVARIANT(next <= sent_);
    while (first_ < next) {
        ops_.pop_front();
        ++first_;
        heard_at_ = now;
    }
    if (!timed_ || first_ < timed_->next) return;
    round_time_.add(now - timed_->sent_at);
    timed_.reset();
}

void Outbox::send_again(Effects& effects, Instant now) {
    sent_ = first_;
    heard_at_ = now;
    send(effects, now);
}

}  // namespace cmirror::mirror_log
