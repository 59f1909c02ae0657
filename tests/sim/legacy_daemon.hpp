// The field's daemon on a simulated node: it speaks spec/cluster-v5.md alone, keeps nothing over its death, and knows
// no quorum.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "messages/kernel_request.hpp"
#include "messages/ports.hpp"
#include "tests/support/legacy_member.hpp"

namespace cmirror::sim {

struct Mirror;
struct Node;

class LegacyDaemon {
  public:
    /// Starts it; `process` must be new on this node.
    LegacyDaemon(Node& node, std::uint32_t process);
    /// Kills it.
    ~LegacyDaemon();
    LegacyDaemon(const LegacyDaemon&) = delete;
    LegacyDaemon& operator=(const LegacyDaemon&) = delete;

    void request(const KernelRequest& request);
    /// Takes what the cluster has delivered, sends what waits, and answers its kernel. True if anything happened.
    bool poll();

  private:
    struct Log {
        Uuid uuid;
        Luid luid = 0;
        std::unique_ptr<test::LegacyMember> member;
        std::unique_ptr<GroupConnection> connection;
        /// Multicasts that corosync has not taken yet.
        std::deque<std::vector<std::byte>> outgoing;
        /// Kernel requests that wait for the member's reply, by its number; RESUME has 0.
        std::map<std::uint32_t, KernelRequest> waiting;
        bool wants_in = false, joined = false, wants_out = false, leaving = false, destroyed = false;
    };
    struct Events;

    void construct(const KernelRequest& request);
    void ask_member(Log& log, const KernelRequest& request);
    bool poll(Log& log);
    void join(Log& log);
    void make_member(Log& log);
    void left_group(Log& log);
    void answer(const KernelRequest& request, int error, ReplyPayload payload = {});
    Log* find(Luid luid);

    Node& node_;
    std::uint32_t process_;
    std::unique_ptr<ClusterProvider> cluster_;
    std::vector<std::unique_ptr<Log>> logs_;
};

}  // namespace cmirror::sim
