// Marks that the kernel has cleared and that are kept for a while (design.md, "Warm marks"), and those ahead of it.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "actors/mirror_log/effects.hpp"
#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// Least recently used first out; a bounded number.
class WarmMarks {
  public:
    WarmMarks(std::size_t count_max, Instant idle_max) : count_max_(count_max), idle_max_(idle_max) {}

    /// The kernel cleared the region, or will mark it soon. `need`: own ops below it have to be confirmed before the
    /// mark counts. Returns the region that has to make room for it, if any.
    std::optional<RegionNumber> keep(RegionNumber region, Instant now, std::uint64_t need) {
        if (count_max_ == 0) return region;
        remove(region);
        order_.push_back({region, now, need});
        places_[region] = std::prev(order_.end());
        if (order_.size() <= count_max_) return std::nullopt;
        const RegionNumber oldest = order_.front().region;
        remove(oldest);
        return oldest;
    }
    /// The region no longer is warm. Returns its `need` if it was.
    std::optional<std::uint64_t> remove(RegionNumber region) {
        const auto place = places_.find(region);
        if (place == places_.end()) return std::nullopt;
        const std::uint64_t need = place->second->need;
        order_.erase(place->second);
        places_.erase(place);
        return need;
    }
    /// Ops are numbered anew, and all marks were said again.
    void forget_needs() {
        for (Entry& entry : order_)
            entry.need = 0;
    }
    /// Takes those out that have been idle for too long, oldest first, `count_max` at most.
    std::vector<RegionNumber> take_idle(Instant now, std::size_t count_max) {
        std::vector<RegionNumber> idle;
        while (!order_.empty() && idle.size() < count_max && now - order_.front().since >= idle_max_) {
            idle.push_back(order_.front().region);
            remove(idle.back());
        }
        return idle;
    }
    /// Takes all out.
    std::vector<RegionNumber> take_all() {
        std::vector<RegionNumber> all;
        for (const Entry& entry : order_)
            all.push_back(entry.region);
        order_.clear();
        places_.clear();
        return all;
    }
    /// When the oldest will have been idle for too long.
    std::optional<Instant> next_idle() const {
        if (order_.empty()) return std::nullopt;
        return order_.front().since + idle_max_;
    }
    bool contains(RegionNumber region) const { return places_.contains(region); }
    std::size_t size() const { return order_.size(); }

  private:
    struct Entry {
        RegionNumber region;
        Instant since;
        std::uint64_t need;
    };
    std::size_t count_max_;
    Instant idle_max_;
    std::list<Entry> order_;
    std::unordered_map<RegionNumber, std::list<Entry>::iterator> places_;
};

}  // namespace cmirror::mirror_log
