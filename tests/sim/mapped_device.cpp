#include "tests/sim/mapped_device.hpp"

#include <utility>

#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

MappedDevice::MappedDevice(Kernel& kernel, MirrorData& data, LogTable table, std::size_t mirror)
    : kernel_(kernel), data_(data), table_(std::move(table)), mirror_(mirror), drained_(kernel) {}

void MappedDevice::submit(BioPtr bio) {
    bio->since = kernel_.world().now();
    if (live_ == nullptr) {
        bio->end = BioEnd::failed;
        return complete(bio);
    }
    if (blocked_) {
        deferred_.push_back(std::move(bio));
        return;
    }
    ++in_flight_;
    live_->submit(std::move(bio));
}

void MappedDevice::complete(const BioPtr& bio) {
    kernel_.wake_in(Instant{0}, bio->parked);
}

void MappedDevice::ended(const BioPtr& bio) {
    complete(bio);
    if (--in_flight_ == 0) drained_.notify();
}

void MappedDevice::requeue(BioPtr bio) {
    deferred_.push_back(std::move(bio));
    if (--in_flight_ == 0) drained_.notify();
}

Co<MirrorTarget*> MappedDevice::load() {
    const Luid luid = kernel_.new_luid();
    targets_.push_back(std::make_unique<MirrorTarget>(*this, table_, luid));
    MirrorTarget* target = targets_.back().get();
    if (co_await target->construct() == 0) co_return target;
    // A table that cannot be loaded is forgotten without a DTR.
    kernel_.luid_is_free(luid);
    co_return nullptr;
}

Co<bool> MappedDevice::create() {
    busy_ = true;
    MirrorTarget* target = co_await load();
    if (target != nullptr) {
        live_ = target;
        co_await resume();
        usable_ = true;
    }
    busy_ = false;
    co_return target != nullptr;
}

Co<void> MappedDevice::suspend(bool noflush) {
    co_await live_->presuspend(noflush);
    blocked_ = true;
    while (in_flight_ > 0)
        co_await drained_.wait();
    co_await live_->postsuspend();
}

Co<void> MappedDevice::resume() {
    co_await live_->resume();
    blocked_ = false;
    for (BioPtr& bio : std::exchange(deferred_, {})) {
        ++in_flight_;
        live_->submit(std::move(bio));
    }
}

Co<void> MappedDevice::suspend_and_resume(bool noflush) {
    busy_ = true;
    co_await suspend(noflush);
    co_await kernel_.sleep(kernel_.random().around(200ms));
    co_await resume();
    busy_ = false;
}

Co<bool> MappedDevice::reload() {
    busy_ = true;
    MirrorTarget* target = co_await load();
    if (target != nullptr) {
        MirrorTarget* old = live_;
        co_await suspend(true);
        live_ = target;
        co_await resume();
        co_await old->destroy();
        kernel_.luid_is_free(old->luid());
    }
    busy_ = false;
    co_return target != nullptr;
}

Co<void> MappedDevice::load_in_vain() {
    busy_ = true;
    MirrorTarget* target = co_await load();
    if (target != nullptr) kernel_.luid_is_free(target->luid());
    busy_ = false;
}

Co<void> MappedDevice::remove() {
    busy_ = true;
    usable_ = false;
    co_await suspend(false);
    MirrorTarget* old = std::exchange(live_, nullptr);
    for (const BioPtr& bio : std::exchange(deferred_, {})) {
        bio->end = BioEnd::failed;
        complete(bio);
    }
    blocked_ = false;
    co_await old->destroy();
    kernel_.luid_is_free(old->luid());
    busy_ = false;
}

}  // namespace cmirror::sim
