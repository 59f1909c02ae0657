// All rules of one instance of a mirror log: events in, effects out (design.md). Knows no CAF, no I/O and no clock.
//
//   mirror_log_core.cpp      which request means what, timers
//   mirror_log_life.cpp      the life of the instance: RESUME, PRESUSPEND, POSTSUSPEND, DTR
//   mirror_log_idle.cpp      what an instance that does not serve answers
//   mirror_log_requests.cpp  what the kernel is answered while the log is active
//   mirror_log_recovery.cpp  regions handed to the kernel for recovery
//   mirror_log_group.cpp     the group: deliveries, members
//   mirror_log_quorum.cpp    quorum: when it counts, and whether others may have had it
//   mirror_log_join.cpp      joining: starting a state, getting it, giving it to others
//   mirror_log_rejoin.cpp    what a member that has become valid says of its kernel
//   mirror_log_legacy*.cpp   members that speak the field's protocol alone
//   mirror_log_merge.cpp     partitions that merge, nodes that are gone for good
//   mirror_log_durable.cpp   FLUSH: confirmations
//   mirror_log_device.cpp    the log device: writing it, and handing it from server to server
//   mirror_log_kept.cpp      the state file: what is kept, and what an earlier daemon left
//   mirror_log_status.cpp    what it looks like from outside
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/mirror_log/constructor_arguments.hpp"
#include "actors/mirror_log/control_outbox.hpp"
#include "actors/mirror_log/device_writer.hpp"
#include "actors/mirror_log/effects.hpp"
#include "actors/mirror_log/hint_tracker.hpp"
#include "actors/mirror_log/legacy_talk.hpp"
#include "actors/mirror_log/life_cycle.hpp"
#include "actors/mirror_log/log_config.hpp"
#include "actors/mirror_log/log_state.hpp"
#include "actors/mirror_log/merging.hpp"
#include "actors/mirror_log/node_waits.hpp"
#include "actors/mirror_log/outbox.hpp"
#include "actors/mirror_log/progress_meter.hpp"
#include "actors/mirror_log/recovery_work.hpp"
#include "actors/mirror_log/sequential_writes.hpp"
#include "actors/mirror_log/silence_watch.hpp"
#include "actors/mirror_log/state_keeper.hpp"
#include "actors/mirror_log/state_kept.hpp"
#include "actors/mirror_log/state_transfer.hpp"
#include "actors/mirror_log/waiting.hpp"
#include "actors/mirror_log/warm_marks.hpp"
#include "messages/cluster_message.hpp"
#include "messages/disk_request.hpp"
#include "messages/kernel_request.hpp"
#include "messages/log_status.hpp"

namespace cmirror::mirror_log {

class MirrorLogCore {
  public:
    explicit MirrorLogCore(const LogConfig& config);

    // -- events: each appends what is to be done --------------------------------------------------
    void request(const KernelRequest& request, Instant now, Effects& effects);
    /// Whether request() looks at its `now` for this type; reading a clock is a good part of what an IN_SYNC costs.
    static bool depends_on_time(RequestType type);
    void delivered(MemberId sender, const ClusterMessage& message, Instant now, Effects& effects);
    void membership(const Membership& membership, Instant now, Effects& effects);
    void quorum(const QuorumView& view, Instant now, Effects& effects);
    void cluster_lost(Instant now, Effects& effects);
    /// What the instance of this uuid that was here before left behind; comes before the first membership, if at all.
    void inherit(const LeftBehind& left_behind);
    /// The kernel uses another instance of this uuid on this node.
    void superseded(Instant now, Effects& effects);
    void device_opened(const Result<std::uint64_t, DeviceError>& size_bytes, Instant now, Effects& effects);
    void device_read(const Result<DeviceImage, DeviceError>& image, Instant now, Effects& effects);
    void device_written(std::uint64_t write, const Result<void, DeviceError>& outcome, Instant now, Effects& effects);
    void timer(Instant now, Effects& effects);
    /// Proof that the node is gone for good: its kernel writes no more. Refused for a node that is in the ring.
    void node_gone(NodeId node, Instant now, Effects& effects);
    /// The kernel forgot this instance: everything of it ends, nobody is answered.
    void abandon(Instant now, Effects& effects);

    // -- what is so ---------------------------------------------------------------------------------
    LifeState life() const { return life_; }
    bool ended() const { return ended_; }
    LogStatus status() const;
    /// Null before the log was first resumed.
    const LogState* state() const { return state_ ? &*state_ : nullptr; }
    bool valid() const { return valid_; }
    /// Quorum, confirmed for the current ring, and no partition that merges at present (design.md, rule 8).
    bool quorate() const;

  private:
    // the life of the instance
    void perform(const KernelRequest& request, Instant now, Effects& effects);
    void construct(const KernelRequest& request, Effects& effects);
    void answer_construct(const KernelRequest& request, Effects& effects) const;
    void answer_idle(const KernelRequest& request, Effects& effects);
    std::uint64_t idle_sync_count() const;
    void resume(const KernelRequest& request, Instant now, Effects& effects);
    void start_joining(bool in_use, Effects& effects);
    /// A kernel sends it for an instance that it has resumed alone.
    static bool only_after_resume(const KernelRequest& request);
    bool shows_use(const KernelRequest& request) const;
    void notice_use(const KernelRequest& request, Instant now, Effects& effects);
    void resume_again(Instant now, Effects& effects);
    void stop_recovery(const KernelRequest& request, Instant now, Effects& effects);
    void start_leaving(Instant now, Effects& effects);
    void continue_leaving(Instant now, Effects& effects);
    void finish_leaving(Effects& effects);
    void drained();
    bool has_state() const { return valid_ || (founding_ && applying_); }
    bool knows_the_latest() const;
    LeftBehind left_behind() const;
    void destroy(const KernelRequest& request, Instant now, Effects& effects);
    void enter(LifeState next, Instant now, Effects& effects);
    void after_event(Instant now, Effects& effects);
    void wake(Instant now, Effects& effects);
    void reset_membership();

    // answers
    static void reply(const KernelRequest& request, ReplyPayload payload, Effects& effects);
    static void refuse(const KernelRequest& request, int error, Effects& effects);
    void say(LogLevel level, const std::string& text, Effects& effects, LogEvent event = LogEvent::none) const;

    // requests while the log is active
    void serve(const KernelRequest& request, Instant now, Effects& effects);
    bool regions_in_range(const KernelRequest& request) const;
    void mark(RegionNumber region, Instant now, Effects& effects);
    void mark_ahead(const SequentialWrites::Run& run, Instant now, Effects& effects);
    bool keeps_warm() const;
    bool may_be_warm(RegionNumber region) const;
    void clear(RegionNumber region, Instant now);
    void send_clear(RegionNumber region);
    void cool(const std::vector<RegionNumber>& regions);
    void serve_in_sync(const KernelRequest& request, Effects& effects);
    void serve_sync_count(const KernelRequest& request, Instant now, Effects& effects);
    void serve_remote_recovering(const KernelRequest& request, Instant now, Effects& effects);
    void serve_set_sync(const KernelRequest& request, Instant now, Effects& effects);
    void serve_flush(const KernelRequest& request, Instant now, Effects& effects);
    RegionNumber truthful_hint() const;
    std::string status_info() const;
    std::string status_table() const;

    // the state file
    void take_kept(Effects& effects);
    bool kept_is_everything() const;
    std::uint64_t alone_in_ring() const;
    void keep(Effects& effects);
    KeptIdentity kept_identity() const;

    // recovery
    void serve_work(const KernelRequest& request, Instant now, Effects& effects);
    bool hand_out(const KernelRequest& request, Instant now, Effects& effects);
    void ask_for_work(Instant now, Effects& effects);
    void answer_waiting_work(Instant now, Effects& effects);
    void answer_no_work(Effects& effects);
    void give_back(RegionNumber region, Instant now, Effects& effects);
    void give_back_all(Instant now, Effects& effects);
    void react(StateChanges& changes, std::optional<std::uint64_t> own_end, Instant now, Effects& effects);

    // the group
    void entered_group(const Membership& membership, Instant now, Effects& effects);
    void found(Instant now, Effects& effects);
    void found_with(const DeviceImage* image, Instant now, Effects& effects);
    void introduce(Effects& effects);
    void handle(const GroupEvent& event, Instant now, Effects& effects);
    void apply(const GroupEvent& event, Instant now, Effects& effects);
    void apply_delivery(const GroupDelivery& delivery, StateChanges& changes, Instant now, Effects& effects);
    void apply_membership(const Membership& membership, StateChanges& changes, Effects& effects);
    void await_state(const GroupEvent& event, Instant now, Effects& effects);
    void note_speaker(const GroupDelivery& delivery);
    void receive(const GroupDelivery& delivery, const StateChunk& chunk, Instant now, Effects& effects);
    void follow_nodes(const Membership& membership, Instant now);
    void load_state(Instant now, Effects& effects);
    void note_reached(const LogState& old);
    void became_valid(bool known, Instant now, Effects& effects);
    void serve_joiners(Instant now, Effects& effects);
    void begin_state(Instant now, Effects& effects);
    void send_state_again(Instant now, Effects& effects);
    void stop_sending();
    void server_changed(Effects& effects);
    void start_merge(const Membership& membership, Instant now, Effects& effects);
    std::uint64_t ring_at_merge(Instant now) const;
    void remember_standing(MemberId gone);
    void take_standing(MemberId sender, const Standing& standing, Effects& effects);
    void decide_merge(Effects& effects);
    std::vector<MemberId> awaited() const;
    bool in_ring(NodeId node) const;
    void note_quorum(bool quorate_now, Instant now);
    void settle_quorum(Instant now, Effects& effects);
    void regain_quorum(Effects& effects);
    void given_quorum();
    bool own_word_only() const;
    void keep_others();
    void heard_anew(MemberId sender, const Anew& anew, Instant now, Effects& effects);
    void start_anew(Instant now, Effects& effects);
    void watch_fencing(Instant now, Effects& effects);
    void take_before(const LogState& before, bool device_knows);
    void end_doubts(Instant now, Effects& effects);
    void compare_digest(MemberId sender, const StateDigest& theirs, Effects& effects);
    void rejoin(Effects& effects);
    void lose_state(Instant now, Effects& effects);
    void say_again(bool known, Instant now, Effects& effects);
    Owner owner() const { return {self_.node, config_.luid}; }
    bool is_server() const;

    // legacy members
    bool mixed() const;
    bool writes_device() const;
    void send_legacy(LegacyFrame frame, Effects& effects);
    std::uint32_t send_legacy_request(RequestType type, const std::vector<std::uint64_t>& integers, bool needs_response,
                                      Effects& effects);
    void note_for_legacy(RequestType type, RegionNumber region);
    void say_to_legacy(Effects& effects);
    void flush_legacy(Effects& effects);
    void flush_legacy_again(Effects& effects);
    bool legacy_flushed(std::uint32_t need) const;
    void tell_marks(Instant now, Effects& effects);
    bool speaks_for_itself(Owner who) const;
    void cast_shadows();
    void drop_shadows();
    void correct_legacy(Effects& effects);
    void answer_legacy(Effects& effects);
    void fail_legacy_flushes(int error, Effects& effects);
    void heard_legacy(MemberId sender, const LegacyFrame& frame, Effects& effects);
    void ask_legacy_for_work(Effects& effects);
    void prioritise_for_legacy(RegionNumber region, Effects& effects);
    bool work_waits_for_legacy();
    void legacy_server_changed(Effects& effects);
    void attend_legacy(Instant now, Effects& effects);
    void leave_legacy(Effects& effects);
    void await_legacy(const GroupDelivery& delivery);
    void start_beside_legacy(Instant now, Effects& effects);
    void introduce_legacy(Effects& effects);
    bool mistaken_for_legacy(const GroupEvent& event, Effects& effects);
    void send_checkpoints(Effects& effects);

    // durability
    void note_durable_ops(MemberId origin, const Ops& ops);
    void update_durability(Instant now, Effects& effects);
    void hold_writes_if_late(Instant now);
    void start_write(Instant now, Effects& effects);
    void take_device_over(Instant now, Effects& effects);
    void hand_device_over(Instant now, Effects& effects);
    void note_device_free(const Ops& ops);
    void send_confirmations(Effects& effects);
    void update_confirmed();
    void answer_flushes(Effects& effects);
    void await_confirmation(const KernelRequest& request);
    void ask_for_confirmation();
    void confirm_again(Instant now, Effects& effects);
    void fail_flushes(int error, Effects& effects);
    void refuse_flushes(int error, Effects& effects);
    void refuse_flush(const KernelRequest& request, int error, Effects& effects);
    void merge(const DeviceImage& image, Effects& effects);
    std::vector<Op> dirty_on_device(const DeviceImage& image, std::uint64_t known) const;
    void take_confirm(MemberId sender, const Confirm& confirm, Effects& effects);
    Progress progress() const;
    bool device_ready() const { return args_.disk_log && device_size_ > 0; }
    std::uint64_t random();

    LogConfig config_;
    std::uint64_t random_state_;
    ConstructorArguments args_;
    LifeState life_ = LifeState::opening;
    bool constructed_ = false, ended_ = false;
    /// Constructed by a reconnect: the kernel's hint and marks are not known.
    bool reconnected_ = false, resumed_before_ = false;
    /// A state of this instance had quorum, or came from a member: nosync no longer speaks of it.
    bool had_quorum_ = false;
    std::optional<std::uint32_t> resume_seq_;  ///< of the last RESUME
    /// The next RESUME is a reconnect's, as its CTR was; one was, since the last suspend began.
    bool reconnect_resumes_ = false, resume_ignored_ = false;
    /// A reconnect's CTR was answered, and no RESUME since.
    bool resume_unanswered_ = false;
    /// The kernel has shown that it has resumed this instance; it gave way before that was known; it had drained its
    /// writes, and nothing has shown since that it was resumed.
    bool in_use_ = false, aside_ = false, drained_ = false;
    /// The kernel stopped recovery and has not resumed since.
    bool past_presuspend_ = false;
    /// Created again without a state file: it may have; "is being recovered" was said so often since it asked for work.
    bool may_be_presuspended_ = false;
    std::uint32_t recovering_told_ = 0;
    std::vector<KernelRequest> waiting_, resume_requests_, leave_requests_;
    std::optional<Instant> leave_due_, scheduled_, digest_due_;

    // the kernel
    HintTracker hint_;
    WarmMarks warm_;
    SequentialWrites sequential_;
    /// Regions that this kernel has marked, warm ones included, as far as they were not given up.
    std::set<RegionNumber> my_marks_;
    /// Marked when the kernel had drained its I/O, and not cleared since: it may have cached them as not in sync.
    std::set<RegionNumber> left_marked_;
    /// Reported as failed: the kernel writes them to one leg alone until it has recovered them.
    std::set<RegionNumber> nosync_;
    /// Regions reported as failed, by the op that says so, until that is confirmed.
    std::map<std::uint64_t, RegionNumber> failures_;
    std::vector<WaitingFlush> flushes_;
    /// Marks failed to become durable: the next FLUSH tries that again, or what waits does.
    bool flush_failed_ = false;
    std::optional<Instant> confirm_again_due_;
    /// Created again without a file, and not suspended since: the kernel may have marked any region.
    bool marks_unknown_ = false;
    /// The kernel was told that a FLUSH failed.
    bool log_failed_ = false;
    std::vector<WaitingWork> work_;
    RecoveryWork recovery_;
    /// The want_work that is under way, or the grant it brought waits for its confirmation.
    bool asked_ = false;
    std::uint64_t work_need_ = 0;
    std::optional<Instant> grant_idle_since_;

    // the state file
    StateKeeper keeper_;
    /// An earlier daemon's, until the group or a start alone has taken it in.
    std::optional<KeptState> kept_;

    // the group
    MemberId self_;
    bool in_group_ = false, valid_ = false;
    JoinToken token_ = 0;
    std::optional<QuorumView> view_;
    /// Nodes that the group saw go and the view still has, since when: the view is of an older ring.
    std::map<NodeId, Instant> nodes_lost_;
    /// Quorum was lost and does not count again yet.
    bool lost_quorum_ = false;
    /// This server has said Anew, and waits for it to be delivered.
    bool anew_asked_ = false;
    /// When it came back; as it was where the state begins that is on its way.
    std::optional<Instant> regained_at_, regained_before_state_;
    /// The ring in which this state last had quorum, nodes that were lost since and may have had it without us, and
    /// nodes whose daemon alone was lost: while it is lost the group does not see them go.
    std::optional<std::uint64_t> quorate_ring_, ring_before_;
    Instant quorate_since_{};
    std::set<NodeId> strangers_, daemonless_;
    /// With marks or grants, out of the ring; the server's: those that may have left in good order.
    NodeWaits ring_lost_, doubted_since_;
    std::optional<Merging> merging_;
    /// Members that were there before us and may have the state; nodes of those whose daemons died before they gave it.
    std::set<MemberId> older_;
    std::set<NodeId> unseen_;
    std::vector<MemberId> group_;
    SilenceWatch silence_;
    bool found_alone_ = false, reading_device_ = false, awaiting_view_ = false, awaiting_device_ = false;
    /// The state is here (loaded, or founded by us): every event is applied to it.
    bool applying_ = false;
    /// We start the state; no other member has one.
    bool founding_ = false;
    StateKept state_kept_ = StateKept::nothing;
    /// What an earlier instance left behind; counts in place of the state in memory.
    std::optional<LogState> before_;
    /// Ops that tell which regions were in sync in a state that gave way.
    std::vector<Op> reached_before_;
    /// It may only in this ring; nothing: in any (corosync was lost, and nobody else could have quorum meanwhile).
    std::optional<std::uint64_t> kept_ring_;
    std::optional<StateReceiver> receiver_;
    std::optional<StateSender> sender_;
    /// Joiners that a transfer of ours has covered.
    std::set<MemberId> served_;
    std::vector<GroupEvent> backlog_;
    std::optional<LogState> state_;
    Outbox outbox_;
    ControlOutbox control_;
    /// When something of the state that is being sent was last sent anew or delivered back.
    Instant sender_heard_{};
    MemberId last_server_;
    std::uint64_t digest_sent_at_ = 0;
    std::optional<StateDigest> digest_mine_;
    LegacyTalk legacy_;

    // durability
    /// Own ops below this have to be confirmed before a FLUSH is answered; those below confirmed_ are.
    std::uint64_t need_ = 0, confirmed_ = 0, confirmed_by_other_ = 0;
    /// By member: ops that wait for confirmation, confirmed by us so far.
    Progress to_confirm_, sent_confirm_, durable_;
    DeviceWriter writer_;
    /// The device is merged; was it when another member became the server in place of this one?
    bool merged_ = false, relieved_merged_ = false;
    std::uint64_t merge_need_ = 0;
    /// Do those that this member relieves all vouch for what is on the device? False for good once one was lost.
    std::optional<bool> handed_whole_;
    /// The server's, before it has asked for the device's map; it has asked for it, and has not merged it.
    bool takes_over_ = false, reading_to_merge_ = false;
    /// A node that was lost may still write the device until then.
    Instant device_doubt_until_{};
    std::optional<Instant> device_rewrite_due_;
    /// Member::relieved when this member said last that its writes have ended.
    std::uint64_t handed_over_ = 0;
    /// Reads of the device that were asked for and have not come back: only the last one counts.
    int reads_open_ = 0;
    /// A write was too late: none before the last of these.
    std::optional<Instant> lazy_send_due_, lazy_write_due_, write_again_due_;
    std::uint64_t device_size_ = 0;
    int device_error_ = 0;
    DeviceStatus device_status_;

    std::uint64_t requests_ = 0, bad_requests_ = 0, rounds_ = 0, marked_ahead_ = 0, recovered_here_ = 0;
    ProgressMeter progress_meter_;
};

}  // namespace cmirror::mirror_log
