// Three real corosyncs, three real daemons, and a stand-in for each node's kernel that writes, recovers and checks.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/cluster/corosync_cluster.hpp"
#include "tests/support/kernel_stand_in.hpp"

namespace cmirror::test {

/// What must hold over all nodes, however they ask: written down where a rule was broken.
struct Rules {
    std::map<RegionNumber, NodeId> copied;
    std::map<NodeId, std::set<RegionNumber>> written;
    std::set<RegionNumber> in_sync;
    std::vector<std::string> broken;

    /// A node's kernel was given the region to recover.
    void copy_begins(NodeId node, RegionNumber region);
    void copy_ends(NodeId node, RegionNumber region);
    /// The FLUSH of its mark was answered.
    void write_begins(NodeId node, RegionNumber region);
    void write_ends(NodeId node, RegionNumber region) { written[node].erase(region); }
    void says(const std::string& what) { broken.push_back(what); }
};

/// What a daemon's snapshot says of the log.
struct LogSnapshot {
    std::string events;
    std::string sync_count;
    std::string state;
    std::string quorum;
    std::string marks;
    /// Of the log.
    std::size_t members = 0;

    friend bool operator==(const LogSnapshot&, const LogSnapshot&) = default;
};

class DaemonCluster {
  public:
    static constexpr std::uint64_t region_count = 64;
    static constexpr NodeId node_count = 3;

    /// Starts corosyncs and daemons on the nodes 1 to `nodes`. `log`: the type of the mirror's log, and its device if
    /// any.
    explicit DaemonCluster(const std::string& log = "clustered-core", NodeId nodes = node_count);
    ~DaemonCluster();

    // -- the log of one mirror on all nodes
    void create(NodeId node);
    void create_all();
    /// Each of these goes on until stop(), or until it is done.
    void recover(NodeId node);
    /// Writes to the regions first, first + 3, ... again and again.
    void write(NodeId node, RegionNumber first);
    void suspend_and_resume(NodeId node, unsigned times);
    /// Marks a region; true once that is durable, and the mark is given up then.
    std::shared_ptr<const bool> mark_once(NodeId node, RegionNumber region);
    /// The writers end with the write that is under way.
    void stop() { stopping_ = true; }
    /// One question, and its answer.
    std::optional<KernelAnswer> ask(NodeId node, RequestType type, RequestPayload payload = {});
    std::uint64_t writes(NodeId node) const { return nodes_.at(node)->writes; }
    bool suspended_often_enough(NodeId node) const { return nodes_.at(node)->suspends_left == 0; }

    /// The longest time between the ends of two writes of a node since the last call, also one that goes on.
    KernelStandIn::Clock::duration longest_pause(NodeId node);
    /// How much a daemon has said so far, and the lines since then.
    std::size_t said(NodeId node) const { return nodes_.at(node)->log.size(); }
    std::vector<std::string> lines_since(NodeId node, std::size_t said) const;

    // -- faults
    void kill_daemon(NodeId node);
    /// Nobody reads what the daemon says, until it is read again.
    void ignore_output(NodeId node, bool ignored);
    void start_daemon(NodeId node);
    pid_t daemon(NodeId node) const { return nodes_.at(node)->daemon; }
    CorosyncCluster& corosync() { return corosync_; }

    /// Lets everything go on for a moment.
    void poll_once();
    /// Lets everything go on until that is so; false after a minute, with what is known in report().
    bool until(const std::function<bool()>& so);
    /// Until every node has ended so many more writes.
    bool until_more_writes(std::uint64_t count, const std::vector<NodeId>& nodes);
    bool until_idle();
    bool until_in_sync();
    /// Until all daemons tell the same of the log.
    bool until_equal();
    std::optional<LogSnapshot> snapshot(NodeId node);
    std::string report();
    KernelStandIn& kernel(NodeId node) { return *nodes_.at(node)->kernel; }

    Rules rules;

  private:
    struct Node {
        NodeId id = 0;
        pid_t daemon = 0;
        UniqueFd output;
        bool output_ignored = false;
        std::string log;
        std::unique_ptr<KernelStandIn> kernel;
        Luid luid = 0;
        std::uint64_t writes = 0;
        KernelStandIn::Clock::time_point last_write;
        KernelStandIn::Clock::duration longest_pause{0};
        /// Writers and recoverers that are under way.
        std::uint64_t tasks = 0;
        unsigned suspends_left = 0;
        bool suspended = false;
        /// What goes on at the next resume.
        std::vector<std::function<void()>> paused;
    };

    void note_write(Node& node);
    void write_next(Node& node, RegionNumber region, RegionNumber first);
    void mark(Node& node, RegionNumber region, RegionNumber first);
    void recover_next(Node& node);
    void suspend_next(Node& node);
    /// Goes on now, or at the next resume.
    void go_on(Node& node, std::function<void()> then);
    void later(std::function<void()> then);
    void expect_ok(Node& node, RequestType type, const KernelAnswer& answer);

    CorosyncCluster corosync_;
    std::string folder_;
    std::string table_;
    std::map<NodeId, std::unique_ptr<Node>> nodes_;
    std::multimap<KernelStandIn::Clock::time_point, std::function<void()>> timers_;
    bool stopping_ = false;
};

}  // namespace cmirror::test
