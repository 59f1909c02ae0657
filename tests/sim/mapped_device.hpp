// A device-mapper device with a mirror's table: what dmsetup and applications do with it.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "tests/sim/mirror_target.hpp"

namespace cmirror::sim {

class MappedDevice {
  public:
    MappedDevice(Kernel& kernel, MirrorData& data, LogTable table, std::size_t mirror);

    Kernel& kernel() { return kernel_; }
    MirrorData& data() { return data_; }
    /// The mirror's number in the world.
    std::size_t mirror() const { return mirror_; }

    // -- what applications do
    bool usable() const { return usable_; }
    void submit(BioPtr bio);

    // -- what an administrator does; one thing at a time
    Co<bool> create();
    Co<void> suspend_and_resume(bool noflush);
    /// A new table takes the old one's place. False if it cannot be loaded.
    Co<bool> reload();
    Co<void> remove();
    /// A new table is loaded, and then fails for another reason.
    Co<void> load_in_vain();
    bool busy() const { return busy_; }

    // -- for the target
    void ended(const BioPtr& bio);
    /// The bio is started again once the device is resumed.
    void requeue(BioPtr bio);

    /// Null while the mirror does not exist on this node.
    MirrorTarget* live() { return live_; }
    std::size_t in_flight() const { return in_flight_; }
    /// Also those that are replaced or gone: their last copies and writes count.
    const std::vector<std::unique_ptr<MirrorTarget>>& targets() const { return targets_; }

  private:
    Co<MirrorTarget*> load();
    Co<void> suspend(bool noflush);
    Co<void> resume();
    void complete(const BioPtr& bio);

    Kernel& kernel_;
    MirrorData& data_;
    LogTable table_;
    std::size_t mirror_;
    std::vector<std::unique_ptr<MirrorTarget>> targets_;
    MirrorTarget* live_ = nullptr;
    std::deque<BioPtr> deferred_;
    std::size_t in_flight_ = 0;
    bool usable_ = false, blocked_ = false, busy_ = false;
    Signal drained_;
};

}  // namespace cmirror::sim
