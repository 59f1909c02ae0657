#include "tests/sim/application.hpp"

#include <optional>
#include <string>
#include <utility>

#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

namespace {

constexpr Instant look_every = 1s;

/// A slot that is locked until the application lets go, also by dying.
class SlotLock {
  public:
    SlotLock(MirrorData& data, Slot slot) : data_(data), slot_(slot), held_(data.try_lock(slot)) {}
    SlotLock(const SlotLock&) = delete;
    SlotLock& operator=(const SlotLock&) = delete;
    ~SlotLock() {
        if (held_) data_.unlock(slot_);
    }
    bool held() const { return held_; }

  private:
    MirrorData& data_;
    Slot slot_;
    bool held_;
};

// References: GCC 12 destroys members of an awaited aggregate twice.
struct AwaitBio {
    MappedDevice& device;
    const BioPtr& bio;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> task) {
        bio->parked = device.kernel().park(task);
        device.submit(bio);
    }
    void await_resume() const noexcept {}
};

Slot any_slot(MappedDevice& device) {
    Kernel& kernel = device.kernel();
    const Profile& profile = kernel.world().profile;
    const std::uint64_t regions = device.data().regions();
    const bool hot = kernel.random().chance(profile.hot);
    const RegionNumber region = kernel.random().below(hot ? std::min(profile.hot_regions, regions) : regions);
    return {region, kernel.random().below(device.data().slots_per_region())};
}

/// Of a stream that begins anew now and then.
Slot next_slot(MappedDevice& device, const std::optional<Slot>& last) {
    constexpr double stream_ends = 0.02;
    if (!last || device.kernel().random().chance(stream_ends)) return any_slot(device);
    return {(last->region + 1) % device.data().regions(), last->index};
}

}  // namespace

Co<void> administrate(MappedDevice& device) {
    Kernel& kernel = device.kernel();
    while (true) {
        co_await kernel.sleep(kernel.random().around(look_every));
        if (device.busy()) continue;
        if (device.live() == nullptr) {
            if (kernel.world().may_activate(kernel.node(), device.mirror())) (void)co_await device.create();
        } else if (device.live()->needs_new_table() && kernel.random().chance(0.3)) {
            if (!kernel.world().may_suspend(kernel.node(), device.mirror())) continue;
            kernel.world().count("path: reload after a failure");
            if (kernel.world().tracing()) kernel.world().tell(kernel.node(), "a new table is loaded after a failure");
            (void)co_await device.reload();
        }
    }
}

Co<void> write_now_and_then(MappedDevice& device) {
    Kernel& kernel = device.kernel();
    World& world = kernel.world();
    std::optional<Slot> stream;
    while (true) {
        co_await kernel.sleep(kernel.random().around(world.profile.think));
        if (!device.usable() || !world.loaded()) continue;
        const auto bio = std::make_shared<Bio>();
        if (kernel.random().chance(world.profile.preflush)) {
            bio->kind = BioKind::preflush;
            co_await AwaitBio{device, bio};
            continue;
        }
        bio->kind = BioKind::write;
        bio->slot = world.profile.sequential ? next_slot(device, stream) : any_slot(device);
        if (world.profile.sequential) stream = bio->slot;
        const SlotLock lock(device.data(), bio->slot);
        if (!lock.held()) continue;
        bio->version = device.data().new_version();
        co_await AwaitBio{device, bio};
        world.count("writes");
        if (bio->end == BioEnd::done)
            device.data().acknowledged(bio->slot, bio->version);
        else
            world.count("path: a write failed");
    }
}

Co<void> read_now_and_then(MappedDevice& device) {
    Kernel& kernel = device.kernel();
    World& world = kernel.world();
    while (true) {
        co_await kernel.sleep(kernel.random().around(world.profile.think));
        if (!device.usable() || !world.loaded()) continue;
        const auto bio = std::make_shared<Bio>();
        bio->slot = any_slot(device);
        const Version floor = device.data().floor(bio->slot);
        co_await AwaitBio{device, bio};
        world.count("reads");
        if (bio->end == BioEnd::done) world.was_read(kernel.node(), device, bio->slot, floor, bio->version);
    }
}

}  // namespace cmirror::sim
