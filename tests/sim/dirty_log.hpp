// The kernel's side of one instance of a log: the client of the daemon (spec/kernel.md, "Requests").
#pragma once

#include <string>
#include <vector>

#include "tests/sim/kernel.hpp"

namespace cmirror::sim {

struct LogTable {
    Uuid uuid;
    /// What CTR carries.
    std::string arguments;
    std::uint64_t regions = 0;
    bool disk_log = false;
    bool integrated_flush = false;
};

class DirtyLog {
  public:
    DirtyLog(Kernel& kernel, LogTable table, Luid luid);

    Luid luid() const { return luid_; }
    const LogTable& table() const { return table_; }
    RegionNumber in_sync_hint() const { return hint_; }

    /// 0 or a negative errno.
    Co<int> construct();
    Co<void> destroy();
    Co<void> presuspend();
    Co<void> postsuspend();
    Co<void> resume();

    Co<bool> in_sync(RegionNumber region);
    Co<bool> is_remote_recovering(RegionNumber region);
    /// The region to recover, if any.
    Co<std::optional<RegionNumber>> get_resync_work();
    Co<void> set_region_sync(RegionNumber region, bool in_sync);
    Co<std::uint64_t> get_sync_count();
    void mark(RegionNumber region) { marks_.push_back(region); }
    void clear(RegionNumber region) { clears_.push_back(region); }
    /// 0 or a negative errno.
    Co<int> flush();

  private:
    KernelRequest make(RequestType type, RequestPayload payload = {}) const;
    /// For what is lost while the daemon is away.
    Co<Answer> once(RequestType type);
    /// Creates and resumes the log again if the daemon does not know it.
    Co<Answer> request(RequestType type, RequestPayload payload, std::size_t room);
    Co<int> send_regions(RequestType type, std::vector<RegionNumber> regions);
    Co<void> flush_later();

    Kernel& kernel_;
    LogTable table_;
    Luid luid_;
    RegionNumber hint_ = 0;
    std::vector<RegionNumber> marks_, clears_;
    bool flush_planned_ = false;
    bool destroyed_ = false;
};

}  // namespace cmirror::sim
