// What of a log goes into its state file, and when (design.md, rule 10).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>

#include "actors/mirror_log/effects.hpp"
#include "messages/kept_state.hpp"
#include "messages/wire_state_file.hpp"

namespace cmirror::mirror_log {

/// Follows what the kernel has marked and what a successor needs, and says which lines of the file have to be written.
/// A change costs one line. The maps of the whole state are in the file only while this node is alone.
class StateKeeper {
  public:
    /// The file of this instance, empty so far; the next take() begins it.
    void begin(const KeptIdentity& identity);
    /// As begin(), with the marks that an earlier daemon left.
    void begin(const KeptIdentity& identity, const RegionWords& live);
    /// What comes next is the whole file.
    void begin_anew() { fresh_ = true; }
    bool begun() const { return begun_; }

    void marked(RegionNumber region) { set_live(region, true); }
    void cleared(RegionNumber region) { set_live(region, false); }
    /// The kernel has drained: nothing is marked.
    void cleared_all();

    /// Lines of the state's maps that changed since the last call, those maps, and how things stand; what is to be
    /// written, if anything.
    std::optional<KeepEffect> take(const KeptStanding& standing, const std::set<std::uint64_t>& changed_lines,
                                   std::span<const std::uint64_t> in_sync, std::span<const std::uint64_t> reached);

  private:
    void set_live(RegionNumber region, bool value);
    void put(KeepEffect& out, StateMap map, std::span<const std::uint64_t> words,
             const std::set<std::uint64_t>& lines) const;
    void put_all(KeepEffect& out, StateMap map, std::span<const std::uint64_t> words) const;

    KeptIdentity identity_;
    bool begun_ = false;
    bool fresh_ = false;
    RegionWords live_;
    std::set<std::uint64_t> live_lines_;
    KeptStanding standing_;
};

}  // namespace cmirror::mirror_log
