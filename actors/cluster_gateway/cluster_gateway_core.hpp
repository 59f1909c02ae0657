// Which groups are wanted, how each join stands, and what is sent and delivered.
//
// The core decides which calls the shell makes on the cluster's connections (effects) and is told how they went
// (on_..._called). A join is one stay in one group: it has a connection of its own, so that nothing of an earlier join
// reaches a later one.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "actors/cluster_gateway/send_queue.hpp"
#include "actors/common/log_line.hpp"
#include "messages/cluster_message.hpp"
#include "messages/log_status.hpp"
#include "messages/ports.hpp"
#include "messages/wire_cluster.hpp"

namespace cmirror {

/// The shell's name for a log.
using LogId = std::uint64_t;
/// One JoinGroup of one log, until its leave is complete. Never used again.
using JoinId = std::uint64_t;

class ClusterGatewayCore {
  public:
    // -- effects, carried out in order. A call on a connection that was closed meanwhile is left out.
    struct OpenQuorum {};
    struct CloseQuorum {};
    struct OpenGroup {
        JoinId join = 0;
    };
    struct CallJoin {
        JoinId join = 0;
        Uuid group;
    };
    struct CallLeave {
        JoinId join = 0;
    };
    /// Multicast next_frame(join).
    struct CallMulticast {
        JoinId join = 0;
    };
    struct CloseGroup {
        JoinId join = 0;
    };
    struct DeliveredMessage {
        MemberId sender;
        std::shared_ptr<const ClusterMessage> message;
    };
    struct Lost {};
    struct GiveWay {};
    struct Tell {
        LogId log = 0;
        std::variant<LeftBehind, Membership, DeliveredMessage, QuorumView, Lost, GiveWay> news;
    };
    /// No join of this log is left.
    struct Release {
        LogId log = 0;
    };
    using Effect = std::variant<OpenQuorum, CloseQuorum, OpenGroup, CallJoin, CallLeave, CallMulticast, CloseGroup,
                                Tell, Release, LogLine>;
    using Effects = std::vector<Effect>;

    explicit ClusterGatewayCore(SendQueueLimits limits) : limits_(limits) {}

    // -- what logs and time ask for
    void start(TimePoint now, Effects& effects);
    /// `in_use`: other logs of this group give way; else this one does, if there are others.
    void join(const Uuid& group, LogId log, bool in_use, TimePoint now, Effects& effects);
    void leave(const Uuid& group, LogId log, TimePoint now, Effects& effects);
    /// Whoever joins the group within `left_behind_for` is told this first, as a member. Takes the place of what was
    /// left before, unless it is empty. What is beyond `left_behind_max` bytes in all is dropped, the oldest first.
    void leave_behind(const Uuid& group, LeftBehind left, TimePoint now);
    static constexpr auto left_behind_for = std::chrono::seconds{10};
    static constexpr std::size_t left_behind_max = std::size_t{64} << 20U;
    void on_log_gone(LogId log, TimePoint now, Effects& effects);
    void multicast(const Uuid& group, LogId log, const ClusterMessage& message, TimePoint now, Effects& effects);
    void on_timer(TimePoint now, Effects& effects);
    void shut_down(Effects& effects);

    // -- how calls went
    void on_quorum_opened(bool opened, const std::string& why_not, TimePoint now, Effects& effects);
    void on_group_opened(JoinId join, bool opened, const std::string& why_not, TimePoint now, Effects& effects);
    void on_join_called(JoinId join, ClusterCall call, TimePoint now, Effects& effects);
    void on_leave_called(JoinId join, ClusterCall call, TimePoint now, Effects& effects);
    void on_multicast_called(JoinId join, ClusterCall call, TimePoint now, Effects& effects);
    /// What a CallMulticast is to send; empty if the join came to its end since that was asked for.
    std::span<const std::byte> next_frame(JoinId join) const;

    // -- what connections bring
    void on_delivered(JoinId join, MemberId sender, std::span<const std::byte> frame, TimePoint now, Effects& effects);
    void on_membership(JoinId join, Membership membership, TimePoint now, Effects& effects);
    void on_quorum(QuorumView view, Effects& effects);
    /// A service of the cluster is gone: all connections are.
    void on_lost(const std::string& what, TimePoint now, Effects& effects);

    /// When on_timer() is to be called next, if at all.
    std::optional<TimePoint> next_due() const;
    ActorStatus status() const;

  private:
    enum class Phase : std::uint8_t {
        waiting,  ///< for an earlier join of the group to end, for corosync, or for another attempt
        joining,  ///< it has a connection; no membership with us was delivered yet
        member,
        leaving,  ///< leave was called; no membership without us was delivered yet
    };
    struct Join {
        Join(const Uuid& the_group, LogId the_log, SendQueueLimits limits);

        Uuid group;
        LogId log;
        Phase phase = Phase::waiting;
        /// The log wants to leave: what is queued goes out first. It hears nothing more of this join but its end, for
        /// it may have joined again.
        bool leave_wanted = false;
        SendQueue queue;
        /// Flow control: from one millisecond on.
        Backoff call_backoff;
        /// A join that failed as a whole.
        Backoff join_backoff;
        std::optional<TimePoint> retry_at;
        MemberId self;
    };

    void give_way(const Uuid& group, LogId log, bool in_use, Effects& effects);
    Join* find_wanted(const Uuid& group, LogId log, JoinId& id);
    bool is_first(JoinId id) const;
    void begin(JoinId id, Effects& effects);
    std::optional<LeftBehind> take_left_behind(const Uuid& group, TimePoint now);
    void forget_left_behind(TimePoint now);
    bool someone_joins(const Uuid& group) const;
    void request_leave(JoinId id, Effects& effects);
    void end(JoinId id, Effects& effects);
    void rejoin(JoinId id, TimePoint now, Effects& effects);
    void open_later(JoinId id, const std::string& why_not, TimePoint now, Effects& effects);
    void call_again(JoinId id, TimePoint now);
    void retry_at(JoinId id, TimePoint due);
    void cancel_retry(JoinId id);
    void retry(JoinId id, Effects& effects);
    void reconnect_later(TimePoint now);
    void count_fault(ClusterFrameFault fault, const Join& join, MemberId sender, TimePoint now, Effects& effects);
    void limited(LogLevel level, std::string_view kind, std::string text, TimePoint now, Effects& effects,
                 LogEvent event = LogEvent::none);

    static constexpr std::size_t fault_kinds = static_cast<std::size_t>(ClusterFrameFault::bad_extension) + 1;
    static constexpr std::size_t old_peers_max = 1024;
    /// Stands for the connection to the cluster as a whole in retries_.
    static constexpr JoinId whole_cluster = 0;

    SendQueueLimits limits_;
    bool connected_ = false;
    Backoff reconnect_backoff_{std::chrono::milliseconds(100), std::chrono::milliseconds(2000)};
    std::map<JoinId, Join> joins_;
    /// The first of a group has the connection, the others wait for its end.
    std::unordered_map<Uuid, std::deque<JoinId>> by_group_;
    std::unordered_map<LogId, std::size_t> joins_of_log_;
    /// The oldest first.
    struct Left {
        Uuid group;
        TimePoint until;
        LeftBehind what;
    };
    std::deque<Left> left_behind_;
    std::set<std::pair<TimePoint, JoinId>> retries_;
    std::optional<QuorumView> quorum_;
    JoinId next_join_ = 1;

    LineLimiter limiter_;
    std::set<NodeId> old_peers_;
    std::array<std::uint64_t, fault_kinds> faults_{};
    std::uint64_t sent_ = 0;
    std::uint64_t delivered_ = 0;
    std::uint64_t busy_ = 0;
    std::uint64_t stray_ = 0;
    std::uint64_t losses_ = 0;
    std::uint64_t overflows_ = 0;
};

}  // namespace cmirror
