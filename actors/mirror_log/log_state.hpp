// The replicated state of a mirror log: the same events in the same order give the same state on all members
// (design.md, "The replicated log"). It knows nothing of the local kernel, of time or of the log device's health.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "actors/mirror_log/grant_table.hpp"
#include "actors/mirror_log/legacy_group.hpp"
#include "actors/mirror_log/mark_table.hpp"
#include "actors/mirror_log/region_map.hpp"
#include "messages/cluster_message.hpp"
#include "messages/identity.hpp"
#include "messages/kept_state.hpp"
#include "messages/kernel_request.hpp"

namespace cmirror::mirror_log {

/// Regions of one op at most, but for clears: bounds what one message can cost.
constexpr std::uint64_t op_regions_max = 4096;

/// Of an instance whose daemon died before this one had a word of it; its next Hello tells which it is.
inline constexpr Luid unseen_luid = ~Luid{0} - 1;

/// A member of the group as the state knows it.
struct Member {
    MemberId id;
    /// It has said Hello; the fields below are then known.
    bool introduced = false;
    JoinToken token = 0;
    BootId boot{};
    Luid luid = 0;
    ProgramVersion version{};
    /// It has the state and applies every event to it.
    bool valid = false;
    /// Ops of this join that were applied: all below it. Of a legacy member: frames that were applied.
    std::uint64_t next_seq = 0;
    /// Its first frame was not one of ours: it never is introduced or valid in the sense above.
    bool legacy = false;
    /// A legacy member that has the state.
    bool legacy_valid = false;
    /// LegacyGroup::joins when it turned out to be legacy; of a member of ours: of which it has told its marks since.
    std::uint64_t legacy_joins = 0;
    /// How often a lower member has relieved it as the server, and of which of these it has said that its writes to the
    /// log device have ended.
    std::uint64_t relieved = 0;
    std::uint64_t handed_over = 0;

    Owner owner() const { return {id.node, legacy ? legacy_luid : luid}; }
    friend bool operator==(const Member&, const Member&) = default;
};

/// A mark that waits until another owner has recovered the region, or gave that up (design.md, rule 3).
struct HeldMark {
    Owner owner;
    RegionNumber region = 0;
    MemberId origin;
    /// The op that asked for it.
    std::uint64_t seq = 0;

    friend bool operator==(const HeldMark&, const HeldMark&) = default;
};

/// An owner that asked for work and has got none yet.
struct Ask {
    Owner owner;
    std::uint64_t count = 0;

    friend bool operator==(const Ask&, const Ask&) = default;
};

/// What events changed that a member may have to react to. Filled by LogState, emptied by its user.
struct StateChanges {
    std::vector<Run> granted;
    /// Owners whose ask ended without a region.
    std::vector<Owner> nothing_to_do;
    /// Regions that became wanted: warm marks on them are to be given up.
    std::vector<RegionNumber> wanted;
    /// Granted regions that a kernel waits for: a run's owner recovers them next.
    std::vector<RegionNumber> preferred;
    /// Granted regions that a mark waits for: a run's owner gives them back if it has not started them.
    std::vector<RegionNumber> waited_for;
    /// Owners whose marks became out of sync because they are gone for good.
    std::vector<Owner> writers_lost;
    /// Owners that left with marks their kernel had not cleared: those are out of sync.
    std::vector<Owner> left_marked;
    /// A legacy member came: marks have to be told to it, runs to be given back.
    bool legacy_came = false;
    /// The last legacy member is gone.
    bool legacy_gone = false;

    void clear() { *this = {}; }
};

class StateReader;
class StateWriter;

class LogState {
  public:
    /// Regions that wait in the priority queue at most; more are not remembered.
    static constexpr std::size_t priority_max = 1024;
    /// Regions that one ask makes wanted at most.
    static constexpr std::size_t wanted_max = 16;
    /// Ops of not_reached_of() at most.
    static constexpr std::size_t reached_ops_max = 4096;

    explicit LogState(std::uint64_t region_count);
    /// A saved state, of whatever size it says that it has; nothing if it is none.
    static std::optional<LogState> from_saved(std::span<const std::byte> bytes);

    // -- where a log starts -----------------------------------------------------------------------
    /// Every region in sync and clean, or none.
    void start(bool in_sync);
    /// In sync and clean is what `words` (of a log device) says; regions behind `known` are `in_sync_behind`.
    void start_from(std::span<const std::uint32_t> words, std::uint64_t known, bool in_sync_behind);
    /// As the only member's state file has it; `owner` is that member's.
    void start_kept(const KeptState& kept, Owner owner);
    /// Kernels may live that knew an earlier state: any region may be one that fell out of sync later.
    void assume_all_reached() { reached_.fill(true); }
    /// Ops that tell which regions were in sync in `other`, a state of the same log that gave way, and not in this one.
    std::vector<Op> not_reached_of(const LogState& other) const;
    /// After start() or start_from(): the marks and grants of everyone but `own` as `before` has them. Those kernels
    /// may live on, out of sight, and may have marked more since: any region, or any that the log device does not call
    /// clean (`device_knows`). What that calls clean is nobody's any more.
    void take_others(const LogState& before, Owner own, bool device_knows);
    /// As take_others(), where others knew more than `before` and are gone: what owners had marked and were copying,
    /// and what the log device calls dirty and was in sync. Those that were there are doubted: they may have left in
    /// good order.
    void take_marks(const LogState& before, Owner own, bool device_knows);
    /// As take_others(), of a node of which nothing is known: any region, or any that the log device does not call
    /// clean.
    void assume_unseen(NodeId node, bool device_knows);
    /// This node was seen to go: it did not leave in good order.
    void not_doubted(NodeId node);
    /// Whose join started this state; members' Valid names it.
    void begin_lineage(JoinToken founder) { lineage_ = founder; }
    JoinToken lineage() const { return lineage_; }
    /// The state as it was when its last member was alone: maps, marks and grants stay, for kernels may live on.
    void forget_members();

    // -- events, in the total order ----------------------------------------------------------------
    void joined(MemberId member);
    void hello(MemberId member, const Hello& hello, StateChanges& changes);
    void became_valid(MemberId member);
    void left(MemberId member, ChangeReason reason, StateChanges& changes);
    /// Applies those ops that are new and next; others are ignored (the sender sends them again).
    void apply(MemberId member, const Ops& ops, StateChanges& changes);

    // -- legacy members (log_state_legacy.cpp) --------------------------------------------------------
    /// A frame of the field's protocol, whoever sent it.
    void legacy_frame(MemberId sender, const LegacyFrame& frame, StateChanges& changes);
    /// From a legacy checkpoint as of the join of the only member of ours; `older` were there before.
    void start_legacy(const LegacyCheckpoint& checkpoint, const std::vector<MemberId>& older);
    const LegacyGroup& legacy() const { return legacy_; }
    bool mixed() const { return legacy_.mode != LegacyGroup::Mode::none; }
    /// The lowest member is legacy: it answers requests and writes the log device.
    bool legacy_serves() const;
    /// Every valid member of ours has told its marks since this legacy member came.
    bool marks_told_to(const Member& joiner) const;
    /// Who answers legacy members' requests: null if a legacy one does, or nobody can yet.
    const Member* responder() const;
    /// Whom marks and grants of the node's member belong to, as legacy members tell members apart.
    Owner owner_on(NodeId node) const;

    // -- members ------------------------------------------------------------------------------------
    const std::vector<Member>& members() const { return members_; }
    const Member* member(MemberId id) const;
    /// The lowest valid member of ours: unless a legacy one serves, it writes the log device and confirms.
    const Member* server() const;
    /// Who confirms the ops of `origin`: the server, or the next lowest valid member for the server's own. Null when
    /// `origin` is the only valid member.
    const Member* confirmer_of(MemberId origin) const;
    /// All ops of the member's join below this are applied, with no mark held.
    std::uint64_t applied_through(const Member& member) const;
    /// Does a member that has been relieved as the server perhaps still write the log device?
    bool hands_device_over() const;
    bool present(Owner owner) const;
    /// The owner was there before, and has not ended since: all that it had confirmed is in this state.
    bool knows(Owner owner) const { return boots_.contains(owner) && !outdated_.contains(owner); }
    /// Anyone but `own` was there and has not ended.
    bool knows_others(Owner own) const;
    /// Owners with marks or grants for which no valid member speaks.
    std::vector<Owner> absent_owners() const;
    bool has_doubts() const { return !doubted_.empty(); }
    /// Nodes without a member whose owners all may have left in good order: with nobody back after some time they did.
    std::set<NodeId> doubted_nodes() const;

    // -- what is so -----------------------------------------------------------------------------------
    std::uint64_t region_count() const { return sync_.size(); }
    const RegionMap& sync() const { return sync_; }
    const RegionMap& clean() const { return clean_; }
    /// Out of sync although it had been in sync since the log started: a leg failed, or its writer died.
    bool fell_out_later(RegionNumber region) const { return !sync_.test(region) && reached_.test(region); }
    /// Regions that fell out of sync later and still are.
    std::uint64_t fell_out_count() const { return reached_.count() - sync_.count(); }
    /// Has been in sync since the log started.
    const RegionMap& reached() const { return reached_; }
    /// Some owner has cached a region as not in sync (SET_REGION_SYNC 0).
    bool has_failures() const { return !failed_.empty(); }
    const MarkTable& marks() const { return marks_; }
    const GrantTable& grants() const { return grants_; }
    bool wanted(RegionNumber region) const { return wanted_.contains(region); }
    bool asked(Owner owner) const;
    bool prioritised(RegionNumber region) const { return priority_set_.contains(region); }
    const std::vector<HeldMark>& held() const { return held_; }
    /// Was every region in sync at once since the log started? Kernels then ask for no more work until a resume.
    bool ever_fully_in_sync() const { return ever_full_; }
    /// Regions in sync, without those that an absent owner may still write.
    std::uint64_t sync_count() const;
    /// The lowest region that is out of sync or that an absent owner may still write; region_count() if none.
    RegionNumber lowest_out_of_sync() const;

    /// Events seen, and a digest of what they did.
    std::uint64_t ordinal() const { return ordinal_; }
    std::uint64_t digest() const { return digest_; }

    /// Blocks of the log device whose bits changed since the last call.
    std::set<std::uint64_t> take_changed_blocks() { return std::exchange(changed_blocks_, {}); }
    bool has_changed_blocks() const { return !changed_blocks_.empty(); }
    /// Lines of a state file (wire_state_file.hpp) whose sync bits changed since the last call. start() and load()
    /// change all and name none.
    std::set<std::uint64_t> take_changed_lines() { return std::exchange(changed_lines_, {}); }

    /// The whole state as bytes, and back. A state that does not fit the region count gives false.
    std::vector<std::byte> save() const;
    bool load(std::span<const std::byte> bytes);
    /// From now on read_frozen() gives the bytes of save() as of this moment, whatever is applied meanwhile, until
    /// thaw(). Costs as little as what is no map is large.
    void freeze();
    void thaw();
    std::uint64_t frozen_size() const;
    /// Invariant: frozen, and `out` ends within frozen_size().
    void read_frozen(std::uint64_t from, std::span<std::byte> out) const;

  private:
    std::vector<std::byte> save_head() const;
    void load_maps(std::span<const std::byte> bytes);
    void apply_one(const Member& member, std::uint64_t seq, const Op& op, StateChanges& changes);
    void apply_to_regions(const Member& member, std::uint64_t seq, const Op& op, StateChanges& changes);
    void mark(const Member& member, std::uint64_t seq, RegionNumber region, StateChanges& changes);
    void clear_range(Owner owner, RegionNumber first, std::uint64_t count);
    void release(Owner owner, RegionNumber first, std::uint64_t count);
    void prioritise(RegionNumber region, StateChanges& changes);
    void mark_everything(Owner owner, bool was_unknown);
    void await_copies(const Member& member, std::uint64_t seq, StateChanges& changes);
    void presuspend(Owner owner);
    void make_stale(RegionNumber region);
    void place_mark(Owner owner, RegionNumber region);
    void place_marks(Owner owner, const std::set<RegionNumber>& regions, bool device_knows);
    static bool may_live_on(Owner owner, Owner own);
    void take_marks_of(Owner owner, const LogState& before, bool device_knows);
    void unseen_is(Owner owner, const BootId& boot);
    void take_grant(Run run, bool device_knows);
    bool mark_dirty(Owner owner, const RegionMap* among = nullptr);
    void clear(Owner owner, RegionNumber region);
    void recovered(Owner owner, RegionNumber region);
    void failed(Owner owner, RegionNumber region);
    void copying(Owner owner, RegionNumber region);
    void written(const Member& member, std::uint64_t seq, RegionNumber region, StateChanges& changes);
    void overtake(Owner owner, RegionNumber region);
    void not_clean(RegionNumber region);
    void nothing_is_clean();
    void everything_said(Owner owner);
    void lose_writer(Owner owner, StateChanges& changes);
    void end_owner(Owner owner);
    void clean_what_nobody_clears();
    void node_gone(NodeId node, StateChanges& changes);
    void everything_was_reached();
    void settle(StateChanges& changes);
    void release_held();
    bool held_back(Owner owner, RegionNumber region) const;

    enum class Availability : std::uint8_t { free, never, blocked_by_marks, later_must_wait };
    Availability availability(Owner owner, RegionNumber region) const;
    enum class Search : std::uint8_t { granted, wait, nothing };
    Search search(const Ask& ask, StateChanges& changes);
    std::optional<RegionNumber> find_free(Owner owner, std::vector<RegionNumber>& blocked, bool& wait) const;
    bool owners_present(RegionNumber region, Owner asker) const;
    void want(const std::vector<RegionNumber>& blocked, StateChanges& changes);

    void set_sync(RegionNumber region, bool value);
    void set_clean(RegionNumber region, bool value);
    void toggled(std::uint64_t kind, RegionNumber region, std::uint64_t who = 0);
    Member* find(MemberId id);
    void load_owners(StateReader& in);
    void find_orphans();
    void drop_ask(Owner owner);
    void drop_held(Owner owner);
    void end_copies(Owner owner, RegionNumber first, std::uint64_t count);
    void end_all_copies(Owner owner) { end_copies(owner, 0, region_count()); }
    void grant_copied_as_well();

    void legacy_joined(MemberId id);
    void became_legacy(Member& member, StateChanges& changes);
    void legacy_left(const Member& gone, StateChanges& changes);
    void settle_legacy(StateChanges& changes);
    void legacy_request(const Member& sender, const LegacyFrame& frame, StateChanges& changes);
    void legacy_region(const Member& sender, RequestType type, RegionNumber region);
    void legacy_set_sync(const Member& sender, RegionNumber region, bool in_sync);
    std::vector<std::uint64_t> legacy_work(const Member& sender, StateChanges& changes);
    void legacy_response(const Member& sender, const LegacyFrame& frame, StateChanges& changes);
    void legacy_work_answered(NodeId node, const LegacyFrame& frame, StateChanges& changes);
    void legacy_checkpoint(Member& sender, NodeId joiner);
    void legacy_became_valid(Member& member);
    const Member* lowest_member() const;
    void grant_one(Owner owner, RegionNumber region, StateChanges& changes);
    bool may_hand_out(Owner owner, RegionNumber region) const;
    bool absent_legacy() const;
    void note_differing(RegionNumber region);
    void find_differing();
    void not_suspected(MemberId id, RegionNumber region);
    void save_legacy(StateWriter& out) const;
    void load_legacy(StateReader& in);

    RegionMap sync_;
    RegionMap clean_;
    /// Has been in sync since the log started.
    RegionMap reached_;
    MarkTable marks_;
    GrantTable grants_;
    /// Owners that cached a region as not in sync (SET_REGION_SYNC 0): only they may recover it.
    std::map<RegionNumber, std::set<Owner>> failed_;
    /// Failed regions that their owner is not handed out again before its next resume.
    std::set<std::pair<Owner, RegionNumber>> tried_;
    /// Granted regions that another kernel wrote meanwhile: their copies do not count.
    std::set<RegionNumber> overtaken_;
    /// What absent kernels went on copying while the region was granted to another: they have it after that one.
    std::set<std::pair<RegionNumber, Owner>> copied_as_well_;
    std::set<Owner> suspending_;
    std::vector<Ask> asks_;
    std::set<RegionNumber> wanted_;
    std::deque<RegionNumber> priority_;
    std::set<RegionNumber> priority_set_;
    std::vector<HeldMark> held_;
    std::vector<Member> members_;
    /// The boot that an owner's marks and grants belong to.
    std::map<Owner, BootId> boots_;
    /// Owners of which an earlier state was known alone.
    std::set<Owner> outdated_;
    /// Those of them that may have ended in good order since.
    std::set<Owner> doubted_;
    /// Regions marked by owners that are absent, and how many of them are in sync.
    std::set<RegionNumber> orphaned_;
    std::uint64_t orphaned_in_sync_ = 0;
    /// An absent owner may have marked any region.
    bool all_orphaned_ = false;
    /// find_orphans() is to be called at the end of the event.
    bool orphans_due_ = false;
    bool ever_full_ = false;
    LegacyGroup legacy_;
    JoinToken lineage_ = 0;
    std::uint64_t ordinal_ = 0;
    std::uint64_t digest_ = 0;
    std::set<std::uint64_t> changed_blocks_;
    std::set<std::uint64_t> changed_lines_;
    /// save_head() as of freeze().
    std::vector<std::byte> frozen_head_;
};

}  // namespace cmirror::mirror_log
