// Stands in for one node's kernel: asks a daemon over a Unix datagram socket as dm-log-userspace does over the
// connector (spec/kernel.md, "Transport"). No thread of its own: whoever uses it polls its descriptor.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "adapters/unique_fd.hpp"
#include "messages/kernel_request.hpp"
#include "messages/wire_kernel.hpp"

namespace cmirror::test {

/// The kernel's answer to one of its tasks.
struct KernelAnswer {
    std::int32_t error = 0;
    std::vector<std::uint64_t> numbers;
};

class KernelStandIn {
  public:
    using Clock = std::chrono::steady_clock;
    using Done = std::function<void(const KernelAnswer&)>;

    struct Counters {
        std::uint64_t answered = 0;
        /// After a time without an answer, and because the daemon asked for it.
        std::uint64_t resent = 0;
        std::uint64_t asked_again = 0;
        std::uint64_t reconnects = 0;
        /// Replies to a seq that was never used.
        std::uint64_t unknown_replies = 0;
        /// Second replies to one seq.
        std::uint64_t repeated_replies = 0;
    };

    /// The daemon listens at `daemon`; this end is bound at `own`. `resend_after` is the kernel's 15 s, or less.
    KernelStandIn(const std::string& daemon, const std::string& own, Clock::duration resend_after);
    ~KernelStandIn();
    KernelStandIn(const KernelStandIn&) = delete;
    KernelStandIn& operator=(const KernelStandIn&) = delete;

    /// The instance that the following requests are of, and its table; what is under way is forgotten.
    void use(const Uuid& uuid, Luid luid, const std::string& table);
    /// `done` is called once, when an answer has come, however often the request had to be sent.
    void ask(RequestType type, RequestPayload payload, Done done);

    int descriptor() const { return socket_.get(); }
    /// Takes every reply that waits.
    void receive();
    /// Sends again what is overdue; to be called now and then.
    void tick();
    bool idle() const { return waiting_.empty(); }
    const Counters& counters() const { return counters_; }
    /// What is under way, for people.
    std::string describe() const;

  private:
    struct Waiting {
        RequestType type = RequestType::ctr;
        RequestPayload payload;
        Done done;
        Clock::time_point due;
        /// Not sent yet, or to nobody: it is after a pause.
        bool to_come = false;
    };

    void send(std::uint32_t seq);
    void send_again(std::uint32_t seq);
    void take(const UnpackedKernelReply& reply);
    static void pause(Waiting& waiting);
    void reconnect();
    void fall_behind(std::uint32_t seq);

    UniqueFd socket_;
    std::string daemon_;
    std::string own_;
    Clock::duration resend_after_;
    Uuid uuid_;
    Luid luid_ = 0;
    std::string table_;
    std::uint32_t next_seq_ = 1;
    std::map<std::uint32_t, Waiting> waiting_;
    /// Seqs that were answered, or given up for a new one.
    std::map<std::uint32_t, bool> past_;
    /// The log is being created again: the others wait for that.
    bool reconnecting_ = false;
    std::vector<Waiting> behind_;
    Counters counters_;
};

}  // namespace cmirror::test
