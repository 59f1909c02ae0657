#include "actors/mirror_log/field_copy.hpp"

#include <algorithm>

namespace cmirror::mirror_log {

namespace {

std::vector<std::uint32_t> words_of(const RegionMap& map) {
    std::vector<std::uint32_t> words((map.size() + 31) / 32);
    for (std::uint64_t i = 0; i < words.size(); ++i)
        words[i] = map.word32(i);
    return words;
}

/// A checkpoint's map may have a word more than the regions need.
void assign(RegionMap& map, std::vector<std::uint32_t> words) {
    words.resize((map.size() + 31) / 32);
    map.assign_words32(words);
}

}  // namespace

void FieldCopy::load(const LegacyCheckpoint& checkpoint) {
    assign(sync_, checkpoint.sync_words);
    assign(clean_, checkpoint.clean_words);
    marks_.clear();
    priority_.clear();
    cursor_ = 0;
    recovering_.reset();
    if (checkpoint.recovering_region < sync_.size()) recovering_ = checkpoint.recovering_region;
    recoverer_ = checkpoint.recoverer;
}

LegacyCheckpoint FieldCopy::checkpoint() const {
    return {words_of(sync_), words_of(clean_), recovering_.value_or(~RegionNumber{0}), recoverer_};
}

void FieldCopy::restate(const RegionMap& sync, const RegionMap& clean, std::optional<RegionNumber> recovering,
                        NodeId recoverer) {
    sync_ = sync;
    clean_ = clean;
    recovering_ = recovering;
    recoverer_ = recoverer;
    cursor_ = 0;
    priority_.clear();
}

void FieldCopy::mark(NodeId node, RegionNumber region) {
    marks_[region].insert(node);
    clean_.reset(region);
}

void FieldCopy::clear(NodeId node, RegionNumber region) {
    if (const auto marked = marks_.find(region); marked != marks_.end()) {
        marked->second.erase(node);
        if (!marked->second.empty()) return;
        marks_.erase(marked);
    }
    if (sync_.test(region)) clean_.set(region);
}

void FieldCopy::set_sync(RegionNumber region, bool in_sync) {
    if (recovering_ == region) recovering_.reset();
    if (in_sync)
        sync_.set(region);
    else
        sync_.reset(region);
}

bool FieldCopy::asked_about(RegionNumber region) {
    if (sync_.test(region)) return false;
    if (!queued(region) && recovering_ != region && priority_.size() < priority_max) priority_.push_back(region);
    return true;
}

std::optional<RegionNumber> FieldCopy::work(NodeId node) {
    if (recovering_) {
        if (recoverer_ == node) return recovering_;
        return std::nullopt;
    }
    while (!priority_.empty() && !recovering_) {
        if (!sync_.test(priority_.front())) recovering_ = priority_.front();
        priority_.pop_front();
    }
    if (!recovering_) {
        const RegionNumber next = cursor_ < sync_.size() ? sync_.next_clear(cursor_) : sync_.size();
        if (next == sync_.size()) return std::nullopt;
        cursor_ = next + 1;
        recovering_ = next;
    }
    recoverer_ = node;
    return recovering_;
}

void FieldCopy::answered_work(NodeId node, std::optional<RegionNumber> region) {
    if (!region) {
        if (recoverer_ == node) recovering_.reset();
        return;
    }
    recovering_ = region;
    recoverer_ = node;
}

void FieldCopy::gone(NodeId node) {
    if (recoverer_ == node) recovering_.reset();
    for (auto i = marks_.begin(); i != marks_.end();) {
        i->second.erase(node);
        i = i->second.empty() ? marks_.erase(i) : std::next(i);
    }
}

bool FieldCopy::queued(RegionNumber region) const {
    return std::find(priority_.begin(), priority_.end(), region) != priority_.end();
}

bool FieldCopy::marked_by(NodeId node, RegionNumber region) const {
    const auto marked = marks_.find(region);
    return marked != marks_.end() && marked->second.contains(node);
}

std::set<RegionNumber> FieldCopy::marks_of(NodeId node) const {
    std::set<RegionNumber> regions;
    for (const auto& [region, nodes] : marks_)
        if (nodes.contains(node)) regions.insert(region);
    return regions;
}

}  // namespace cmirror::mirror_log
