// What happens to a datagram of the kernel's socket: dropped, refused, or sent to whoever answers it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "actors/common/log_line.hpp"
#include "messages/identity.hpp"
#include "messages/kernel_request.hpp"
#include "messages/log_status.hpp"
#include "messages/ports.hpp"
#include "messages/wire_kernel.hpp"

namespace cmirror {

/// Place of a log's handle in the shell's table; used again once its route was removed.
using RouteSlot = std::uint32_t;

/// Knows which luid belongs to which log, and counts. Holds no state of any log.
class KernelGatewayCore {
  public:
    /// Not a request that one can work on: to be given to refuse().
    struct Bad {
        BadKernelFrame why;
        std::size_t size = 0;
    };
    struct ToSupervisor {
        KernelRequest request;
    };
    struct ToLog {
        RouteSlot slot = 0;
        KernelRequest request;
    };
    using Verdict = std::variant<Bad, ToSupervisor, ToLog>;

    /// The supervisor never asks for more routes than `routes_max`; a further one is refused with a line.
    explicit KernelGatewayCore(std::size_t routes_max) : routes_max_(routes_max) { routes_.reserve(routes_max); }

    /// A datagram of the kernel.
    Verdict on_frame(std::span<const std::byte> frame);
    /// Counts a bad one and tells of it. Whom to answer -EINVAL, or nothing.
    std::optional<KernelReplyAddress> refuse(const Bad& bad, TimePoint now, LogLines& lines);
    /// A receive call that brought no request. Invariant: `datagram` is not `from_kernel`.
    void on_no_frame(const KernelDatagram& datagram, TimePoint now, LogLines& lines);
    /// The request is worked on from now on; one that the kernel sends again keeps its first time.
    void on_request(const KernelRequest& request, TimePoint now);
    /// It is answered: how long that took, or nothing if its begin is not known.
    std::optional<std::chrono::nanoseconds> on_reply(const KernelReply& reply, TimePoint now);
    /// A reply was sent: 0 or a positive errno.
    void on_sent(int code, TimePoint now, LogLines& lines);
    /// The kernel was asked to send a request again.
    void on_asked_again() { ++asked_again_; }

    /// Requests for `luid` that carry `uuid` go to the slot given back from now on; nothing if there are too many.
    std::optional<RouteSlot> add_route(const Uuid& uuid, Luid luid, LogLines& lines);
    /// The slot that is free now, or nothing if there was no such route.
    std::optional<RouteSlot> remove_route(Luid luid);

    ActorStatus status(TimePoint now) const;

  private:
    static constexpr std::size_t fault_kinds = static_cast<std::size_t>(KernelFrameFault::unterminated_text) + 1;

    static constexpr std::size_t request_kinds = static_cast<std::size_t>(RequestType::is_remote_recovering) + 1;
    /// Requests whose begin is known at most; more than the kernel has under way.
    static constexpr std::size_t waiting_max = 8192;

    struct Question {
        Luid luid = 0;
        std::uint32_t seq = 0;
        friend bool operator==(const Question&, const Question&) = default;
    };
    struct Begun {
        Question question;
        std::optional<TimePoint> at;
    };
    struct HashQuestion {
        std::size_t operator()(const Question& question) const {
            return std::hash<std::uint64_t>{}(question.luid ^ (std::uint64_t{question.seq} * 0x9e3779b97f4a7c15U));
        }
    };
    struct Route {
        Uuid uuid;
        RouteSlot slot = 0;
    };

    std::optional<TimePoint> take_begin(const Question& question);

    std::size_t routes_max_;
    std::unordered_map<Luid, Route> routes_;
    std::vector<RouteSlot> free_slots_;
    RouteSlot slots_used_ = 0;
    LineLimiter limiter_;

    std::uint64_t requests_ = 0;
    std::uint64_t replies_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t asked_again_ = 0;
    std::uint64_t foreign_ = 0;
    std::uint64_t overruns_ = 0;
    std::uint64_t receive_errors_ = 0;
    std::uint64_t busy_ = 0;
    std::uint64_t send_errors_ = 0;
    std::array<std::uint64_t, fault_kinds> faults_{};
    /// Most are answered at once, by place: sequence number modulo the size. Those that are not make room in
    /// `waiting_`.
    std::array<Begun, 16> begun_{};
    std::unordered_map<Question, TimePoint, HashQuestion> waiting_;
    std::array<LatencyHistogram, request_kinds> times_{};
};

}  // namespace cmirror
