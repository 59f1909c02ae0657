// A cluster of mirror log cores in one process: one total order, one log device, one clock, all driven by the test.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "tests/support/legacy_member.hpp"

namespace cmirror::mirror_log {

/// A log device in memory, shared by the nodes.
struct MemoryDevice {
    std::vector<std::byte> bytes;
    int open_error = 0;
    int read_error = 0;
    int write_error = 0;
    std::uint64_t writes = 0;
    std::uint64_t bytes_written = 0;

    DeviceImage image(std::uint64_t region_count) const;
    bool clean(RegionNumber region) const;
};

/// 1.0.NODE: each node's program has one of its own.
inline ProgramVersion version_of(NodeId id) {
    return {0x010000U + id};
}

class LogCluster {
  public:
    struct Node {
        NodeId id = 0;
        Luid luid = 0;
        BootId boot{};
        std::uint32_t process = 0;
        std::unique_ptr<MirrorLogCore> core;
        /// The instance that reload() replaced; its kernel may still ask it something.
        std::unique_ptr<MirrorLogCore> old_core;
        Luid old_luid = 0;
        /// In place of a core: a member that speaks the field's protocol alone.
        std::unique_ptr<test::LegacyMember> legacy;
        std::vector<KernelReply> replies;
        std::vector<std::string> lines;
        std::optional<Instant> wake;
        bool joined = false;
        /// Cut off: gets nothing, and what it sends is lost.
        bool silent = false;
        /// Nodes of different sides of a partition do not hear each other.
        int side = 0;
        using Event = std::variant<Membership, std::pair<MemberId, ClusterMessage>>;
        std::deque<Event> inbox;
        std::vector<WriteEffect> writes_held;
        /// For the next instance on this node.
        LeftBehind left_behind;
        Instant left_behind_until{};
        std::uint64_t sent = 0;
        /// As it lies on disk.
        std::vector<std::byte> state_file;
        MemberId member() const { return {id, process}; }
    };

    explicit LogCluster(std::string arguments, Settings settings = without_doubt());
    /// As by default, but that the log device of a lost server is taken over at once.
    static Settings without_doubt();

    /// A node with a constructed log; `quorate` from the start.
    Node& add(NodeId id);
    Node& operator[](NodeId id) { return *nodes_.at(id); }
    /// CTR, RESUME and everything that follows until nothing is under way.
    Node& start(NodeId id);

    /// A legacy member joins; deliver with settle().
    test::LegacyMember& join_legacy(NodeId id, std::uint64_t region_count);
    /// POSTSUSPEND, its delivery, and the leave.
    void leave_legacy(NodeId id);
    test::LegacyMember& legacy(NodeId id) { return *nodes_.at(id)->legacy; }
    /// Multicasts what the legacy member wants to say.
    void collect_legacy(NodeId id);
    /// Multicasts the frame in the name of a node that has joined.
    void say_for(NodeId id, const LegacyFrame& frame) { multicast(*nodes_.at(id), frame); }
    /// Everything that was multicast, in order.
    std::vector<std::pair<NodeId, ClusterMessage>> spoken;

    /// Hands a request in; its seq is returned. Nothing is delivered.
    std::uint32_t ask(NodeId id, RequestType type, RequestPayload payload = {});
    /// ask(), deliver everything, and the reply if it has come.
    std::optional<KernelReply> call(NodeId id, RequestType type, RequestPayload payload = {});
    std::optional<KernelReply> reply_to(NodeId id, std::uint32_t seq) const;

    /// Delivers the next event of one node's inbox; false if there is none.
    bool step(NodeId id);
    /// Delivers everything to everyone, until nothing is under way.
    void settle();
    /// Lets time pass, with timers and deliveries.
    void advance(Instant time);

    /// The daemon dies: its group sees the process go; the kernel lives on.
    void kill(NodeId id);
    /// The node is gone: the group sees the node go, and the ring loses it.
    void crash(NodeId id);
    /// A new daemon on the node, after kill() (same boot) or crash() (new boot, new luid).
    Node& restart(NodeId id, bool new_boot);
    /// As restart(), up to where the kernel first asks the new daemon; `luid` of the instance, if not the usual one.
    Node& revive(NodeId id, bool new_boot, std::optional<Luid> luid = std::nullopt);
    /// CTR(new), PRESUSPEND(old), POSTSUSPEND(old), RESUME(new): the old instance stays until its DTR. The
    /// same table, if no other is given.
    Node& reload(NodeId id, const std::string& arguments = {});
    /// Hands a request of the instance that reload() replaced in, delivers everything; the reply if it has come.
    std::optional<KernelReply> call_old(NodeId id, RequestType type, RequestPayload payload = {});
    /// Someone proves to the daemon of node `teller` that node `gone` writes no more.
    void prove_gone(NodeId teller, NodeId gone);
    /// Corosync goes away under this node's daemon; the others see its process go. Nothing is delivered yet.
    void lose_cluster(NodeId id);
    /// Corosync is back, and the daemon's group connection with it; the ring is told behind the group.
    void regain_cluster(NodeId id);
    /// What a daemon that dies leaves in its state file is lost with it.
    bool lose_state_files = false;
    /// A daemon that starts hears of the ring only when the test says so (set_quorum).
    bool views_come_late = false;
    /// The socket gives the daemon each request a second time.
    bool requests_come_twice = false;
    /// Removes several members in one configuration change.
    void lose(const std::vector<NodeId>& ids, ChangeReason reason);
    /// Cuts these nodes off from the others; they lose quorum.
    void partition(const std::vector<NodeId>& minority);
    /// The partition heals: each side sees the other come back.
    void heal();
    void set_quorum(NodeId id, bool quorate);
    /// Its kernel uses another instance of the uuid.
    void supersede(NodeId id);
    /// Writes wait until release_writes().
    bool hold_writes = false;
    void release_writes();
    /// The oldest write of the node that is held is carried out; later ones are still held.
    void release_one_write(NodeId id);
    /// Frames of this node are dropped: accepted by corosync, never delivered.
    std::map<NodeId, int> drop_next;

    MemoryDevice device;
    Instant now{std::chrono::seconds{1000}};
    std::vector<NodeId> ring;

    static RegionList regions(std::initializer_list<RegionNumber> list);

  private:
    void carry_out(Node& node, Effects& effects);
    void change(const std::vector<MemberChange>& left, const std::vector<MemberChange>& joined);
    void hand_to_legacy(Node& node, const Node::Event& event);
    void multicast(Node& node, const ClusterMessage& message);
    void do_write(Node& node, WriteEffect& write);
    void tell_quorum();
    std::vector<MemberId> members(int side) const;
    std::vector<MemberChange> others(int side, ChangeReason reason) const;
    void tell_views();

    std::string arguments_;
    Settings settings_;
    std::map<NodeId, std::unique_ptr<Node>> nodes_;
    std::uint32_t next_seq_ = 1;
    std::uint32_t next_process_ = 100;
    std::uint64_t next_ring_ = 1;
    std::uint8_t next_boot_ = 1;
};

}  // namespace cmirror::mirror_log
