// The edges as actors see them: narrow interfaces that adapters implement, each with a fake beside the real one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/cluster_message.hpp"
#include "messages/disk_request.hpp"
#include "messages/identity.hpp"
#include "messages/kept_state.hpp"
#include "messages/kernel_request.hpp"
#include "messages/result.hpp"

namespace cmirror {

/// Base of the interfaces: neither copied nor moved.
class Port {
  public:
    Port() = default;
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    virtual ~Port() = default;
};

// -- logging ------------------------------------------------------------------------------------

/// syslog's priorities, fewer of them: error failures, warning retries, notice membership and life cycle, info the
/// rest.
enum class LogLevel : std::uint8_t { error, warning, notice, info, debug };

/// What a line tells of, for programs that watch the log: each has a MESSAGE_ID of its own in systemd's journal.
enum class LogEvent : std::uint8_t {
    none,
    daemon_ready,
    daemon_stopping,
    stop_refused,
    corosync_lost,
    corosync_back,
    log_joined,
    node_lost,
    node_gone,
    quorum_lost,
    quorum_back,
    device_failed,
    device_works,
    states_differ
};

/// What a line is about, beside its text.
struct LogSubject {
    LogEvent event = LogEvent::none;
    /// Of the mirror's log; empty: the daemon as a whole.
    std::string_view uuid = {};
};

/// Where lines go. Never blocks and never throws; a line that cannot be written is counted.
class LogSink : public Port {
  public:
    virtual void write(LogLevel level, std::string_view line) noexcept = 0;
    /// For sinks that keep more than the text.
    virtual void write_about(const LogSubject& subject, LogLevel level, std::string_view line) noexcept {
        static_cast<void>(subject);
        write(level, line);
    }
};

/// A request of the kernel that was answered.
struct AnsweredRequest {
    RequestType type = RequestType::ctr;
    Luid luid = 0;
    std::uint32_t seq = 0;
    /// 0 or a negative errno.
    std::int32_t error = 0;
    /// 0: not known.
    std::chrono::nanoseconds took{0};
};

/// Keeps what happened lately in memory, for whoever asks afterwards. Never blocks and never throws.
class EventRecorder : public Port {
  public:
    virtual void answered(const AnsweredRequest& request) noexcept = 0;
    /// Readable lines, the oldest first, each with its time.
    virtual std::vector<std::string> recent() const = 0;
};

/// The service manager that started the daemon, if one did. Calls do not block.
class ServiceManager : public Port {
  public:
    /// The daemon serves requests.
    virtual void ready() = 0;
    /// One line for `systemctl status`.
    virtual void status(std::string_view status) = 0;
    virtual void stopping() = 0;
};

// -- the kernel ---------------------------------------------------------------------------------

/// What one receive call on the kernel's socket brought.
struct KernelDatagram {
    enum class Kind : std::uint8_t {
        from_kernel,
        foreign,  ///< a sender that is not the kernel: to be dropped and counted
        overrun,  ///< the receive buffer was full: the kernel lost requests and will ask again
        none,     ///< nothing to receive at present
        closed,   ///< the other end is gone for good
        failed    ///< `code` says why
    };
    Kind kind = Kind::none;
    /// Bytes of the datagram, in the buffer given.
    std::size_t size = 0;
    /// Positive errno of `failed`.
    int code = 0;
};

class KernelSocket : public Port {
  public:
    virtual int descriptor() const = 0;
    /// Does not block.
    virtual KernelDatagram receive(std::span<std::byte> buffer) = 0;
    /// Does not block. 0 or a positive errno (EAGAIN: the kernel will ask again).
    virtual int send(std::span<const std::byte> frame) = 0;
};

/// Which requests of the kernel the daemon has not answered yet, kept where it outlives the daemon: the kernel repeats
/// such a request after 15 s only, unless it is asked to (spec/kernel.md, "Transport").
class RequestJournal : public Port {
  public:
    virtual void received(std::uint32_t seq) noexcept = 0;
    virtual void answered(std::uint32_t seq) noexcept = 0;
    /// To be called once, before the others: what an earlier daemon of this boot left unanswered, and the numbers of
    /// requests that it may have left unread, the oldest first. Some may never have been used.
    virtual std::vector<std::uint32_t> take_unanswered() = 0;
};

// -- the cluster --------------------------------------------------------------------------------

/// Outcome of a call to the cluster's services.
enum class ClusterCall : std::uint8_t {
    done,
    try_again,  ///< flow control: nothing was taken, call again later
    lost,       ///< the service is gone: the connection is to be thrown away
    refused     ///< this call can never succeed
};

/// Gets what a connection dispatches, in the cluster's order.
class GroupEvents {
  public:
    virtual void delivered(MemberId sender, std::span<const std::byte> frame) = 0;
    virtual void changed(Membership membership) = 0;

  protected:
    ~GroupEvents() = default;
};

/// One connection to the CPG service, for one group and one join: after leave() it hears what is still delivered and is
/// then to be thrown away. While it exists, no other connection of this process can join that group.
class GroupConnection : public Port {
  public:
    virtual int descriptor() const = 0;
    virtual ClusterCall join(const Uuid& group) = 0;
    virtual ClusterCall leave() = 0;
    /// Takes the whole frame or nothing.
    virtual ClusterCall multicast(std::span<const std::byte> frame) = 0;
    /// Hands at most `events_max` waiting events to `events`; `more` tells whether some may be left.
    virtual ClusterCall dispatch(GroupEvents& events, std::size_t events_max, bool& more) = 0;
};

/// The ring's nodes and whether they have quorum, of one ring.
struct QuorumView {
    bool quorate = false;
    std::uint64_t ring = 0;
    std::vector<NodeId> nodes;
};

/// The connection to the quorum service.
class QuorumConnection : public Port {
  public:
    virtual int descriptor() const = 0;
    /// The views that wait, oldest first: a daemon that was stopped must hear that quorum was lost, also when it is
    /// there again. `call` is how the dispatch went.
    virtual std::vector<QuorumView> dispatch(ClusterCall& call) = 0;
};

/// Opens connections. A failure's text says what to do.
class ClusterProvider : public Port {
  public:
    virtual Result<std::unique_ptr<GroupConnection>, std::string> open_group() = 0;
    virtual Result<std::unique_ptr<QuorumConnection>, std::string> open_quorum() = 0;
    virtual Result<NodeId, std::string> local_node() = 0;
};

// -- the log device -----------------------------------------------------------------------------

/// An open log device. Calls block: only the log_device actor makes them.
class BlockDevice : public Port {
  public:
    virtual std::uint64_t size_bytes() const = 0;
    virtual Result<void, DeviceError> read(std::uint64_t offset, std::span<std::byte> out) = 0;
    /// Writes and makes durable; the blocks end at the device's end at most.
    virtual Result<void, DeviceError> write_durably(const DeviceBlocks& blocks) = 0;
};

class BlockDeviceProvider : public Port {
  public:
    /// `name` is `major:minor` or a path; what was opened is checked to be the block device that was named.
    virtual Result<std::unique_ptr<BlockDevice>, DeviceError> open(std::string_view name) = 0;
};

// -- state files --------------------------------------------------------------------------------

/// What survives the daemon's death, but not the machine's: a file in memory.
class StateFile : public Port {
  public:
    /// Does not wait for any device. An error's text says what failed.
    virtual Result<void, std::string> write(std::span<const StatePatch> patches) = 0;
};

/// One file an instance, named by its luid.
class StateStore : public Port {
  public:
    /// A file of `size` zero bytes with `patches` in it; an older one stays until this one is whole.
    virtual Result<std::unique_ptr<StateFile>, std::string> begin(Luid luid, std::uint64_t size,
                                                                  std::span<const StatePatch> patches) = 0;
    /// The whole file, or nothing if there is none that is this daemon's own.
    virtual std::optional<std::vector<std::byte>> read(Luid luid) = 0;
    virtual void remove(Luid luid) = 0;
};

// -- the administrator --------------------------------------------------------------------------

/// Names one who asked and waits for the reply; never used again.
using AskerId = std::uint64_t;

struct ControlQuestion {
    std::string text;
    /// Numeric user of the sender, as the system vouches for it.
    std::uint32_t user = 0;
    AskerId asker = 0;
};

/// The socket on which an administrator asks things of the running daemon: one question and one reply an asker.
class ControlSocket : public Port {
  public:
    virtual int descriptor() const = 0;
    /// To be called whenever the descriptor is readable: brings a whole question, or nothing, and sends what waits to
    /// be sent. Does not block.
    virtual std::optional<ControlQuestion> receive() = 0;
    /// Does not block: what the asker does not take at once is kept until it does or goes away. One that is gone gets
    /// nothing.
    virtual void reply(AskerId asker, std::string text) = 0;
};

// -- signals ------------------------------------------------------------------------------------

/// Signals that were blocked and are read from a descriptor.
class SignalSource : public Port {
  public:
    virtual int descriptor() const = 0;
    /// The next signal's number, or nothing.
    virtual std::optional<int> next() = 0;
};

}  // namespace cmirror
