#include "actors/kernel_gateway/kernel_gateway_core.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include "messages/invariant.hpp"

namespace cmirror {

KernelGatewayCore::Verdict KernelGatewayCore::on_frame(std::span<const std::byte> frame) {
    auto unpacked = unpack_kernel_request(frame);
    if (!unpacked) return Bad{unpacked.error(), frame.size()};
    ++requests_;
    auto& request = *unpacked;
    // A CTR may replace the instance that had this luid before: the supervisor decides (spec/kernel.md, "Transport").
    if (request.type == RequestType::ctr) return ToSupervisor{std::move(request)};
    const auto route = routes_.find(request.luid);
    if (route == routes_.end() || route->second.uuid != request.uuid) return ToSupervisor{std::move(request)};
    return ToLog{route->second.slot, std::move(request)};
}

std::optional<KernelReplyAddress> KernelGatewayCore::refuse(const Bad& bad, TimePoint now, LogLines& lines) {
    const auto kind = static_cast<std::size_t>(bad.why.fault);
    CMIRROR_INVARIANT(kind < fault_kinds);
    ++faults_[kind];
    const auto name = std::string(name_of(bad.why.fault));
    limiter_.add(lines, LogLevel::warning, name,
                 "bad request from the kernel (" + name + ", " + std::to_string(bad.size) +
                     " bytes): " + (bad.why.answer_to ? "refused with -EINVAL" : "dropped"),
                 now);
    if (bad.why.answer_to) ++refused_;
    return bad.why.answer_to;
}

void KernelGatewayCore::on_no_frame(const KernelDatagram& datagram, TimePoint now, LogLines& lines) {
    using Kind = KernelDatagram::Kind;
    CMIRROR_INVARIANT(datagram.kind != Kind::from_kernel);
    switch (datagram.kind) {
        case Kind::foreign:
            ++foreign_;
            limiter_.add(lines, LogLevel::warning, "foreign sender",
                         "dropped a connector message that did not come from the kernel", now);
            return;
        case Kind::overrun:
            ++overruns_;
            limiter_.add(lines, LogLevel::warning, "receive overrun",
                         "the kernel socket's receive buffer was full, requests were lost: the kernel repeats them",
                         now);
            return;
        case Kind::closed:
            lines.push_back({LogLevel::error, "the kernel socket was closed by its other end: no more requests"});
            return;
        case Kind::failed:
            ++receive_errors_;
            limiter_.add(lines, LogLevel::error, "receive error",
                         std::string("cannot receive from the kernel socket: ") + std::strerror(datagram.code), now);
            return;
        case Kind::from_kernel:
        case Kind::none:
            return;
    }
}

void KernelGatewayCore::on_request(const KernelRequest& request, TimePoint now) {
    const Question question{request.luid, request.seq};
    Begun& place = begun_[request.seq % begun_.size()];
    if (place.at && place.question == question) return;
    if (!waiting_.empty() && waiting_.contains(question)) return;
    if (place.at) {
        // Those of instances that were lost are never answered.
        if (waiting_.size() >= waiting_max) waiting_.clear();
        waiting_.try_emplace(place.question, *place.at);
    }
    place = {question, now};
}

std::optional<std::chrono::nanoseconds> KernelGatewayCore::on_reply(const KernelReply& reply, TimePoint now) {
    const auto kind = static_cast<std::size_t>(reply.type);
    const auto begun = take_begin({reply.luid, reply.seq});
    if (!begun || kind >= request_kinds) return std::nullopt;
    const auto took = now - *begun;
    times_[kind].add(took);
    return took;
}

std::optional<TimePoint> KernelGatewayCore::take_begin(const Question& question) {
    if (Begun& place = begun_[question.seq % begun_.size()]; place.at && place.question == question)
        return std::exchange(place.at, std::nullopt);
    if (waiting_.empty()) return std::nullopt;
    const auto waiting = waiting_.extract(question);
    return waiting ? std::optional(waiting.mapped()) : std::nullopt;
}

void KernelGatewayCore::on_sent(int code, TimePoint now, LogLines& lines) {
    if (code == 0) {
        ++replies_;
        return;
    }
    // The kernel asks again after 15 s, so a reply that could not be sent is not kept.
    const bool busy = code == EAGAIN || code == ENOBUFS;
    ++(busy ? busy_ : send_errors_);
    limiter_.add(lines, busy ? LogLevel::warning : LogLevel::error, busy ? "send busy" : "send error",
                 std::string("cannot send a reply to the kernel: ") + std::strerror(code) + "; it will ask again", now);
}

std::optional<RouteSlot> KernelGatewayCore::add_route(const Uuid& uuid, Luid luid, LogLines& lines) {
    if (const auto known = routes_.find(luid); known != routes_.end()) {
        known->second.uuid = uuid;
        return known->second.slot;
    }
    if (routes_.size() >= routes_max_) {
        lines.push_back({LogLevel::error, "internal: no room for a route to log " + std::string(uuid.text())});
        return std::nullopt;
    }
    RouteSlot slot = slots_used_;
    if (free_slots_.empty()) {
        ++slots_used_;
    } else {
        slot = free_slots_.back();
        free_slots_.pop_back();
    }
    routes_.emplace(luid, Route{uuid, slot});
    CMIRROR_INVARIANT(slots_used_ <= routes_max_);
    return slot;
}

std::optional<RouteSlot> KernelGatewayCore::remove_route(Luid luid) {
    const auto found = routes_.find(luid);
    if (found == routes_.end()) return std::nullopt;
    const auto slot = found->second.slot;
    routes_.erase(found);
    free_slots_.push_back(slot);
    CMIRROR_INVARIANT(routes_.size() + free_slots_.size() == slots_used_);
    return slot;
}

ActorStatus KernelGatewayCore::status(TimePoint now) const {
    ActorStatus status{.heading = "KERNEL COMPONENT DEBUGGING::", .fields = {}};
    const auto add = [&status](std::string name, std::uint64_t value) {
        status.fields.emplace_back(std::move(name), std::to_string(value));
    };
    add("routes", routes_.size());
    add("requests", requests_);
    add("replies", replies_);
    add("refused", refused_);
    add("asked_again", asked_again_);
    add("foreign", foreign_);
    add("overruns", overruns_);
    add("receive_errors", receive_errors_);
    add("send_busy", busy_);
    add("send_errors", send_errors_);
    for (std::size_t kind = 0; kind < fault_kinds; ++kind) {
        if (faults_[kind] == 0) continue;
        auto name = "fault " + std::string(name_of(static_cast<KernelFrameFault>(kind)));
        add(std::move(name), faults_[kind]);
    }
    for (std::size_t kind = 0; kind < request_kinds; ++kind)
        if (times_[kind].count() > 0) status.times.emplace_back(name_of(static_cast<RequestType>(kind)), times_[kind]);
    const auto add_waiting = [&status, now](const Question& question, TimePoint begun) {
        const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - begun);
        status.waiting.push_back({question.luid, question.seq, static_cast<std::uint64_t>(waited.count())});
    };
    for (const Begun& place : begun_)
        if (place.at) add_waiting(place.question, *place.at);
    for (const auto& [question, begun] : waiting_)
        add_waiting(question, begun);
    return status;
}

}  // namespace cmirror
