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

/// Ends the process with a line where something does not work: a figure of a failure is of no use.
class BenchCluster {
  public:
    static constexpr NodeId node_count = 3;
    using Done = std::function<void(const Answer&)>;

    BenchCluster();
    ~BenchCluster();
    BenchCluster(const BenchCluster&) = delete;
    BenchCluster& operator=(const BenchCluster&) = delete;

    /// CTR and RESUME. `log`: the words of its type and of what follows, e.g. "clustered-core 1024 nosync".
    Log create(NodeId node, const std::string& name, std::uint64_t regions, const std::string& log);
    std::array<Log, node_count> create_everywhere(const std::string& name, std::uint64_t regions,
                                                  const std::string& log);
    /// PRESUSPEND, POSTSUSPEND, DTR.
    void destroy(const Log& log);

    void ask(const Log& log, RequestType type, RequestPayload payload, Done done);
    /// Answers that have come are handed on; waits for one up to 100 ms.
    void poll_once();
    void until(const std::function<bool()>& so);
    /// Asks, and waits for the answer: a closed loop of one.
    Answer call(const Log& log, RequestType type, RequestPayload payload = {});
    static RegionList list(RegionNumber region);

    /// The bare round trips between the nodes' corosyncs: 200 bytes multicast by `node` until they are delivered to it.
    void rounds(NodeId node, int count, Times& times);
    /// The same number of datagrams through a bare loop.
    void bare(int count, Times& times);

    pid_t daemon(NodeId node) const { return nodes_.at(node).daemon; }
    /// The one who asks on core 0; the node's daemon and the bare loop on one of their own, or again anywhere.
    void pin(NodeId node, bool pinned);

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
    void receive(Node& node);
    void drain_output();

    test::CorosyncCluster corosync_;
    std::string folder_;
    std::map<NodeId, Node> nodes_;
    Server bare_;
    std::uint32_t next_seq_ = 1;
    Luid next_luid_ = 0xffff888000001000U;
    std::map<std::uint32_t, Waiting> waiting_;
};

}  // namespace cmirror::bench
