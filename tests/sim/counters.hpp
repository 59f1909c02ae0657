// What happened how often: faults, rare paths, and the work done. A batch of runs in which one stays at zero has not
// tested what it claims to test.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace cmirror::sim {

class Counters {
  public:
    void add(std::string_view name, std::uint64_t by = 1) {
        const auto found = counts_.find(name);
        if (found == counts_.end())
            counts_.emplace(std::string(name), by);
        else
            found->second += by;
    }
    std::uint64_t of(std::string_view name) const {
        const auto found = counts_.find(name);
        return found == counts_.end() ? 0 : found->second;
    }
    void add_all(const Counters& other) {
        for (const auto& [name, count] : other.counts_)
            add(name, count);
    }
    const std::map<std::string, std::uint64_t, std::less<>>& all() const { return counts_; }

  private:
    std::map<std::string, std::uint64_t, std::less<>> counts_;
};

}  // namespace cmirror::sim
