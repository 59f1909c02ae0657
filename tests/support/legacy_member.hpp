// A member that speaks the field's protocol alone (spec/cluster-v5.md), as a model to test against: its copy of the
// log, its kernel's requests, and what it multicasts. It shares no code with the daemon but the frames' bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "messages/cluster_message.hpp"
#include "messages/kernel_request.hpp"

namespace cmirror::test {

class LegacyMember {
  public:
    /// What its kernel was told.
    struct Reply {
        std::uint32_t seq = 0;
        RequestType type = RequestType::ctr;
        std::int32_t error = 0;
        std::vector<std::uint64_t> integers;
        std::string text;
    };

    LegacyMember(Uuid uuid, NodeId node, std::uint64_t region_count);

    // -- the group --------------------------------------------------------------------------------------
    void membership(const Membership& membership);
    /// One delivered frame, as bytes.
    void delivered(MemberId sender, std::span<const std::byte> frame);
    /// What it multicasts, in order, since the last call.
    std::vector<std::vector<std::byte>> take_sent();

    // -- its kernel -------------------------------------------------------------------------------------
    /// RESUME is said at the join; its answer has seq 0.
    std::uint32_t request(RequestType type, std::vector<std::uint64_t> integers = {});
    std::optional<Reply> reply_to(std::uint32_t seq) const;
    /// What its kernel was told since the last call.
    std::vector<Reply> take_replies();

    /// The map on the log device, when it is the server: called before a FLUSH is answered.
    std::function<void(const std::vector<bool>& clean)> write_device;
    /// A member that starts alone reads this map.
    std::optional<std::vector<bool>> device_map;
    /// Where it is the server: the text of a STATUS_INFO.
    std::string status = "1 clustered-core";

    // -- what it believes ---------------------------------------------------------------------------------
    bool valid() const { return valid_; }
    bool is_server() const;
    bool in_sync(RegionNumber region) const { return sync_[region]; }
    bool clean(RegionNumber region) const { return clean_[region]; }
    const std::vector<bool>& sync_map() const { return sync_; }
    const std::vector<bool>& clean_map() const { return clean_; }
    std::set<NodeId> marks_of(RegionNumber region) const;
    std::optional<RegionNumber> recovering() const { return recovering_; }
    NodeId recoverer() const { return recoverer_; }
    /// Checkpoints that came for it, the ones it ignored included.
    std::size_t checkpoints_seen() const { return checkpoints_seen_; }
    /// Extension frames that it ignored.
    std::size_t foreign_frames() const { return foreign_frames_; }

  private:
    struct Waiting {
        std::uint32_t seq = 0;
        RequestType type = RequestType::ctr;
        std::vector<std::uint64_t> integers;
    };

    void multicast(const LegacyFrame& frame);
    void send_request(const Waiting& waiting);
    void send_checkpoint(NodeId joiner);
    void take_checkpoint(const LegacyFrame& frame);
    void apply(NodeId sender, const LegacyFrame& frame);
    void apply_response(const LegacyFrame& frame);
    std::vector<std::uint64_t> answer(NodeId sender, RequestType type, const std::vector<std::uint64_t>& integers,
                                      std::int32_t& error);
    std::vector<std::uint64_t> work(NodeId node);
    void set_sync(RegionNumber region, bool in_sync);
    void local(const Waiting& waiting);
    void forget(NodeId node);

    Uuid uuid_;
    NodeId node_;
    std::uint64_t region_count_;
    std::vector<bool> sync_;
    std::vector<bool> clean_;
    std::map<RegionNumber, std::set<NodeId>> marks_;
    std::optional<RegionNumber> recovering_;
    NodeId recoverer_ = 0;
    RegionNumber cursor_ = 0;
    std::deque<RegionNumber> priority_;

    bool joined_ = false;
    bool valid_ = false;
    bool resumed_ = false;
    std::vector<MemberId> members_;
    std::deque<std::pair<NodeId, LegacyFrame>> backlog_;
    std::vector<Waiting> unanswered_;
    std::vector<Reply> replies_;
    std::vector<std::vector<std::byte>> sent_;
    std::uint32_t next_seq_ = 2;
    std::size_t checkpoints_seen_ = 0;
    std::size_t foreign_frames_ = 0;
};

}  // namespace cmirror::test
