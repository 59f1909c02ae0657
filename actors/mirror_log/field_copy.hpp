// What a legacy member holds of a log: the field's algorithm, run beside our own state while one is in the group
// (spec/cluster-v5.md). All legacy copies compute it alike from the same frames, and so does this one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "actors/mirror_log/region_map.hpp"
#include "messages/identity.hpp"
#include "messages/wire_cluster.hpp"

namespace cmirror::mirror_log {

/// A legacy member tells members apart by node id alone.
class FieldCopy {
  public:
    explicit FieldCopy(std::uint64_t region_count) : sync_(region_count), clean_(region_count) {}

    /// As a joiner does it: no marks, no priority queue, the cursor at the first region.
    void load(const LegacyCheckpoint& checkpoint);
    LegacyCheckpoint checkpoint() const;
    /// What a checkpoint says is what our own state says; marks stay.
    void restate(const RegionMap& sync, const RegionMap& clean, std::optional<RegionNumber> recovering,
                 NodeId recoverer);

    // -- requests, in delivery order. Invariant for all: region < the region count ---------------------
    void mark(NodeId node, RegionNumber region);
    void clear(NodeId node, RegionNumber region);
    void set_sync(RegionNumber region, bool in_sync);
    /// IS_REMOTE_RECOVERING: a region out of sync is put into the priority queue. True if it is out of sync.
    bool asked_about(RegionNumber region);
    /// GET_RESYNC_WORK: the region that `node` is to recover: the one it has, the first of the priority queue that is
    /// out of sync, or the next one behind the cursor. Nothing while another node recovers.
    std::optional<RegionNumber> work(NodeId node);
    /// What the server answered to it, if it computed another region.
    void answered_work(NodeId node, std::optional<RegionNumber> region);
    /// The node has left, or said that it will.
    void gone(NodeId node);

    const RegionMap& sync() const { return sync_; }
    const RegionMap& clean() const { return clean_; }
    std::optional<RegionNumber> recovering() const { return recovering_; }
    /// Who recovers, or recovered last.
    NodeId recoverer() const { return recoverer_; }
    /// It is in the priority queue.
    bool queued(RegionNumber region) const;
    bool marked_by(NodeId node, RegionNumber region) const;
    /// Regions that the node has marked.
    std::set<RegionNumber> marks_of(NodeId node) const;

    template <class Out>
    void save(Out& out) const;
    template <class In>
    void load(In& in);

  private:
    /// A request cannot make it longer than this.
    static constexpr std::size_t priority_max = 1024;

    RegionMap sync_;
    RegionMap clean_;
    std::map<RegionNumber, std::set<NodeId>> marks_;
    std::optional<RegionNumber> recovering_;
    NodeId recoverer_ = 0;
    RegionNumber cursor_ = 0;
    std::deque<RegionNumber> priority_;
};

template <class Out>
void FieldCopy::save(Out& out) const {
    out.map(sync_);
    out.map(clean_);
    out.number(recovering_.value_or(~RegionNumber{0}));
    out.number(recoverer_);
    out.number(cursor_);
    out.regions(priority_);
    out.number(marks_.size());
    for (const auto& [region, nodes] : marks_) {
        out.number(region);
        out.regions(nodes);
    }
}

template <class In>
void FieldCopy::load(In& in) {
    in.map(sync_);
    in.map(clean_);
    const RegionNumber recovering = in.number();
    if (recovering < sync_.size()) recovering_ = recovering;
    recoverer_ = static_cast<NodeId>(in.number());
    cursor_ = in.number();
    if (cursor_ > sync_.size()) in.fail();
    for (std::uint64_t n = in.count(8); n > 0 && in.good(); --n)
        priority_.push_back(in.region());
    for (std::uint64_t n = in.count(16); n > 0 && in.good(); --n) {
        const RegionNumber region = in.region();
        for (std::uint64_t k = in.count(8); k > 0 && in.good(); --k)
            marks_[region].insert(static_cast<NodeId>(in.number()));
    }
}

}  // namespace cmirror::mirror_log
