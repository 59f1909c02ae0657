// Which logs exist on this node, what is answered for a luid that has none, and what signals do.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "actors/common/log_line.hpp"
#include "messages/identity.hpp"
#include "messages/kernel_request.hpp"
#include "messages/log_status.hpp"

namespace cmirror {

/// One log that the supervisor had spawned; never used again, unlike a luid.
using InstanceId = std::uint64_t;

struct SupervisorLimits {
    std::size_t logs_max = 1024;
    /// Luids of destroyed logs that are remembered.
    std::size_t destroyed_max = 1024;
};

/// What the service manager is told of a daemon that serves so many logs.
std::string supervisor_status(std::size_t logs);

class SupervisorCore {
  public:
    /// Spawn a mirror log, monitor it, and send its requests to it: RouteAdded to the kernel gateway.
    struct Spawn {
        InstanceId instance = 0;
        Uuid uuid;
        Luid luid = 0;
    };
    struct Forward {
        InstanceId instance = 0;
        KernelRequest request;
    };
    struct AbandonLog {
        InstanceId instance = 0;
    };
    struct RemoveRoute {
        Luid luid = 0;
    };
    /// The instance is gone: drop its handle.
    struct Forget {
        InstanceId instance = 0;
    };
    struct Reply {
        KernelReply reply;
    };
    struct Report {
        ActorStatus own;
    };
    /// No log exists and a signal asked for it: shut everything down.
    struct Stop {};
    using Effect = std::variant<Spawn, Forward, AbandonLog, RemoveRoute, Forget, Reply, Report, Stop, LogLine>;
    using Effects = std::vector<Effect>;

    explicit SupervisorCore(SupervisorLimits limits) : limits_(limits) {}

    /// A CTR, or a request for a luid that the kernel gateway has no route for.
    void on_request(KernelRequest request, TimePoint now, Effects& effects);
    /// The log said that it has ended.
    void on_ended(InstanceId instance, bool destroyed, Effects& effects);
    /// The log's actor is gone; an error unless it had said so before. `reason` is for people.
    void on_down(InstanceId instance, const std::string& reason, Effects& effects);
    void on_signal(int signal, Effects& effects);

    ActorStatus status() const;

  private:
    struct Instance {
        Uuid uuid;
        Luid luid = 0;
        /// The constructor's arguments; a reconnect has the same.
        std::string arguments;
        /// The kernel has forgotten it: it only has to leave its group.
        bool abandoned = false;
        /// It has said that it ended; its actor may still be there.
        bool ended = false;
    };

    void on_constructor(KernelRequest request, Effects& effects);
    void answer_unknown(const KernelRequest& request, TimePoint now, Effects& effects);
    void abandon(InstanceId instance, Effects& effects);
    void remember_destroyed(const Instance& instance);
    bool was_destroyed(const KernelRequest& request) const;
    void forget_destroyed(Luid luid);
    std::size_t active() const;
    std::string names_of_active() const;

    SupervisorLimits limits_;
    /// All that have not ended, and those whose actor is still there.
    std::map<InstanceId, Instance> instances_;
    std::unordered_map<Luid, InstanceId> by_luid_;
    std::unordered_map<Luid, Uuid> destroyed_;
    /// Oldest first; may name luids that were dropped from destroyed_ since.
    std::deque<Luid> destroyed_order_;
    InstanceId next_instance_ = 1;
    LineLimiter limiter_;
    std::uint64_t created_ = 0;
    std::uint64_t unknown_ = 0;
    std::uint64_t late_ = 0;
    std::uint64_t died_ = 0;
};

}  // namespace cmirror
