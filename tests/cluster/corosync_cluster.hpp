// Real corosyncs for tests: one or more nodes, each in a network namespace of its own, on one bridge.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "adapters/unique_fd.hpp"
#include "messages/identity.hpp"

namespace cmirror::test {

/// Puts the calling process into namespaces (network, mounts, System V IPC, host name) where nothing of the machine is
/// touched: with its own loopback and /dev/shm. For root, before any thread exists. Ends the process with a line that
/// says what is missing where the kernel or the rights do not allow it.
void enter_private_namespaces();

/// Node ids are 1 to `node_count`, addresses 10.77.0.<node id>. No corosync runs until start(). A failure to set up
/// ends the process with a line that says what failed.
///
/// One process may talk to all of them: corosync's sockets belong to the network namespace that a connection is opened
/// in, so call enter(node) before opening, and stay anywhere afterwards.
class CorosyncCluster {
  public:
    explicit CorosyncCluster(NodeId node_count);
    CorosyncCluster(const CorosyncCluster&) = delete;
    CorosyncCluster& operator=(const CorosyncCluster&) = delete;
    /// Kills what still runs.
    ~CorosyncCluster();

    /// Starts corosync there and waits until it provides its services.
    void start(NodeId node);
    void start_all();
    /// Lets it end as `systemctl stop corosync` does.
    void stop(NodeId node);
    /// kill -9.
    void kill(NodeId node);
    /// SIGSTOP and SIGCONT.
    void pause(NodeId node);
    void resume(NodeId node);
    /// Takes the node's cable out and puts it back.
    void disconnect(NodeId node);
    void connect(NodeId node);

    /// Moves the calling thread into the node's network namespace.
    void enter(NodeId node);
    /// Starts a program in it, with a /run that belongs to the node and stays while the cluster does; the caller waits
    /// for it. Dies with the calling thread. `output`, if given, becomes its standard output and error.
    pid_t spawn(NodeId node, const std::vector<std::string>& arguments, int output = -1);
    /// The node's corosync; 0 while none runs.
    pid_t process(NodeId node) { return node_of(node).process; }
    /// What the node's corosync has said so far.
    std::string log(NodeId node);

  private:
    struct Node {
        UniqueFd network;
        pid_t process = 0;
        std::thread reader;
        std::mutex mutex;
        std::condition_variable changed;
        std::string log;
        bool ended = false;
    };

    Node& node_of(NodeId node) { return *nodes_.at(node - 1); }
    void make_network(NodeId node);
    void write_configuration(NodeId node);
    void signal(NodeId node, int number);
    void reap(NodeId node);
    pid_t fork_into(NodeId node, int output, const std::vector<std::string>& arguments);

    std::string folder_;
    UniqueFd base_network_;
    std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace cmirror::test
