// Three real corosyncs, three daemons, and one who asks them as their kernels do, as fast as they answer.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/cluster/corosync_provider.hpp"
#include "tests/bench/bare_loop.hpp"
#include "tests/bench/times.hpp"
#include "tests/cluster/corosync_cluster.hpp"

namespace cmirror::bench {

/// How long anything is waited for.
inline constexpr auto patience = std::chrono::seconds{60};

/// A figure of something that does not work is of no use.
[[noreturn]] inline void give_up(const std::string& what) {
    std::fprintf(stderr, "cluster_bench: %s\n", what.c_str());
    std::exit(EXIT_FAILURE);
}

/// One log on one node, as its kernel names it.
struct Log {
    NodeId node = 0;
    Uuid uuid;
    Luid luid = 0;
};

struct Answer {
    std::int32_t error = 0;
    std::vector<std::uint64_t> numbers;
};

/// All daemons, the bare loop and the one who asks share core 0, where a wake-up costs what it does on a machine of
/// one's own and not what it costs to wake another core of a virtual machine; the corosyncs, which are the network
/// here, share core 1. Ends the process with a line where something does not work: a figure of a failure is of no use.
class BenchCluster {
  public:
    static constexpr NodeId node_count = 3;
    static constexpr NodeId bare_loop = 0;
    using Done = std::function<void(const Answer&)>;

    BenchCluster();
    ~BenchCluster();
    BenchCluster(const BenchCluster&) = delete;
    BenchCluster& operator=(const BenchCluster&) = delete;

    /// CTR and RESUME. `log`: the words of its type and of what follows, e.g. "clustered-core 1024 nosync".
    Log create(NodeId node, const std::string& name, std::uint64_t regions, const std::string& log);
    std::array<Log, node_count> create_everywhere(const std::string& name, std::uint64_t regions,
                                                  const std::string& log);
    /// The same, `done` when the resume has been answered.
    Log start_create(NodeId node, const std::string& name, std::uint64_t regions, const std::string& log,
                     std::function<void()> done);
    /// PRESUSPEND, POSTSUSPEND, DTR.
    void destroy(const Log& log);

    void ask(const Log& log, RequestType type, RequestPayload payload, Done done);
    /// Answers that have come are handed on; waits for one up to 100 ms.
    void poll_once(int wait_ms = 100);
    void until(const std::function<bool()>& so);
    /// Asks, and waits for the answer: a closed loop of one.
    Answer call(const Log& log, RequestType type, RequestPayload payload = {});
    static RegionList list(RegionNumber region);

    /// The bare round trips between the nodes' corosyncs: 200 bytes multicast by `node` until they are delivered to it.
    void rounds(NodeId node, int count, Times& times);
    /// 200 bytes multicast by `node` until what a process on `other` multicasts in answer is delivered: what a
    /// confirmation costs at least.
    void echoes(NodeId node, NodeId other, int count, Times& times);
    /// So many requests to a bare loop, by the same way as to a daemon.
    void bare(int count, Times& times);

    pid_t daemon(NodeId node) const { return nodes_.at(node).daemon; }
    /// The daemon gets what the others leave of its core (SCHED_IDLE), or its share again.
    void run_in_leftover_time(NodeId node, bool leftover) const;

  private:
    struct Node {
        pid_t daemon = 0;
        UniqueFd output;
        UniqueFd socket;
        std::string address;
        std::unique_ptr<GroupConnection> group;
    };
    struct Waiting {
        Log log;
        RequestType type = RequestType::ctr;
        Done done;
    };

    void start(NodeId id);
    std::unique_ptr<GroupConnection> join_group(NodeId node, const std::string& name);
    void await_groups();
    void start_bare();
    static UniqueFd socket_at(const std::string& path);
    void open_socket(Node& node, NodeId id) const;
    const Node& node_of(NodeId id) const { return id == bare_loop ? bare_ : nodes_.at(id); }
    void place();
    void receive(const Node& node);
    void drain_output();

    test::CorosyncCluster corosync_;
    std::string folder_;
    std::map<NodeId, Node> nodes_;
    /// The bare loop, which is asked like a daemon.
    Node bare_;
    std::uint32_t next_seq_ = 1;
    Luid next_luid_ = 0xffff888000001000U;
    std::map<std::uint32_t, Waiting> waiting_;
};

}  // namespace cmirror::bench
