#include "tests/sim/faults.hpp"

#include <algorithm>
#include <set>

#include "tests/sim/garbage.hpp"
#include "tests/sim/mapped_device.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

namespace {

Co<void> suspend_and_resume(MappedDevice& device, bool noflush) {
    co_await device.suspend_and_resume(noflush);
}
Co<void> reload(MappedDevice& device) {
    (void)co_await device.reload();
}
Co<void> load_in_vain(MappedDevice& device) {
    co_await device.load_in_vain();
}
Co<void> remove(MappedDevice& device) {
    co_await device.remove();
}

}  // namespace

void FaultEngine::start() {
    for (std::size_t i = 0; i < fault_count; ++i)
        if (world_.profile.on(static_cast<Fault>(i))) plan(static_cast<Fault>(i));
}

void FaultEngine::plan(Fault fault) {
    const Instant gap = world_.profile.gap[static_cast<std::size_t>(fault)];
    world_.after(world_.chaos.around(gap), [this, fault] {
        if (ended_) return;
        happen(fault);
        plan(fault);
    });
}

void FaultEngine::happen(Fault fault) {
    const bool done = power_fault(fault) || cluster_fault(fault) || node_fault(fault);
    if (!done) return;
    world_.count("fault: " + std::string(name_of(fault)));
}

Node* FaultEngine::any_node(bool with_daemon) {
    std::vector<Node*> candidates;
    for (auto& node : world_.nodes())
        if (node->kernel && (!with_daemon || node->daemon)) candidates.push_back(node.get());
    return candidates.empty() ? nullptr : candidates[world_.chaos.index(candidates.size())];
}

bool FaultEngine::power_fault(Fault fault) {
    std::vector<NodeId> victims;
    for (auto& node : world_.nodes())
        if (node->kernel) victims.push_back(node->id);
    for (std::size_t i = victims.size(); i > 1; --i)
        std::swap(victims[i - 1], victims[world_.chaos.index(i)]);
    switch (fault) {
        case Fault::power_cut:
            victims.resize(std::min<std::size_t>(victims.size(), 1));
            break;
        case Fault::power_cut_several:
            if (victims.size() < 2) return false;
            victims.resize(2 + world_.chaos.index(victims.size() - 1));
            break;
        case Fault::power_cut_all:
            break;
        default:
            return false;
    }
    if (victims.empty()) return false;
    if (world_.chaos.chance(0.5)) world_.cluster.next_change_loses(world_.chaos.index(4));
    world_.power_cut(victims);
    for (const NodeId id : victims) {
        Node& node = world_.node(id);
        world_.after(world_.chaos.between(Instant{1s}, Instant{12s}), [this, &node] {
            if (node.kernel) return;
            // Now and then it comes back updated, or as it was before.
            if (world_.options.legacy && world_.chaos.chance(0.3)) node.legacy = !node.legacy;
            world_.power_on(node);
        });
    }
    return true;
}

bool FaultEngine::cluster_fault(Fault fault) {
    switch (fault) {
        case Fault::partition: {
            if (partitioned_ || world_.nodes().size() < 2) return false;
            std::vector<std::set<NodeId>> sides(2);
            for (auto& node : world_.nodes())
                sides[world_.chaos.index(2)].insert(node->id);
            if (sides[0].empty() || sides[1].empty()) return false;
            if (world_.chaos.chance(0.5)) world_.cluster.next_change_loses(world_.chaos.index(4));
            partitioned_ = true;
            world_.cluster.partition(sides);
            world_.count(someone_has_quorum() ? "path: partition, one side with quorum"
                                              : "path: partition without quorum on any side");
            merge_later(world_.chaos.between(Instant{100ms}, Instant{25s}));
            return true;
        }
        case Fault::corosync_restarted: {
            Node* node = any_node(false);
            if (node == nullptr || !node->in_ring) return false;
            if (world_.chaos.chance(0.5)) world_.cluster.next_change_loses(world_.chaos.index(4));
            world_.stop_corosync(*node);
            world_.after(world_.chaos.between(Instant{10ms}, Instant{6s}), [this, node, boots = node->boots] {
                if (node->boots == boots && node->kernel && !node->in_ring) world_.start_corosync(*node);
            });
            return true;
        }
        case Fault::stalled: {
            Node* node = any_node(false);
            if (node == nullptr) return false;
            const bool long_one = world_.chaos.chance(0.2);
            node->stalled_until =
                world_.now() + world_.chaos.between(Instant{10ms}, long_one ? Instant{20s} : Instant{2s});
            return true;
        }
        case Fault::try_again:
        case Fault::message_vanishes: {
            Node* node = any_node(false);
            if (node == nullptr) return false;
            const std::size_t times = 1 + world_.chaos.index(fault == Fault::try_again ? 30 : 3);
            if (fault == Fault::try_again)
                world_.cluster.try_again_for(node->id, times);
            else
                world_.cluster.lose_multicasts(node->id, times);
            return true;
        }
        case Fault::quorum_late: {
            Node* node = any_node(false);
            if (node == nullptr || !node->in_ring) return false;
            world_.cluster.hold_quorum(node->id, true);
            world_.after(world_.chaos.between(Instant{10ms}, Instant{400ms}),
                         [this, node] { world_.cluster.hold_quorum(node->id, false); });
            return true;
        }
        default:
            return false;
    }
}

bool FaultEngine::someone_has_quorum() const {
    return std::any_of(world_.nodes().begin(), world_.nodes().end(),
                       [this](const auto& node) { return node->in_ring && world_.cluster.view_of(node->id).quorate; });
}

void FaultEngine::merge_later(Instant time) {
    world_.after(time, [this] {
        if (!partitioned_) return;
        partitioned_ = false;
        world_.cluster.merge();
        world_.count("path: partitions merged");
    });
}

void FaultEngine::arm(Fault fault, unsigned times) {
    Node* node = any_node(false);
    if (node != nullptr) node->armed[static_cast<std::size_t>(fault)] += times;
}

/// Its state files stay, or do not.
bool FaultEngine::kill_daemon(Fault fault) {
    const bool files_stay = fault == Fault::daemon_killed;
    Node* node = any_node(!files_stay);
    if (node == nullptr || !world_.has_daemon(*node) || (!files_stay && node->states.files.empty())) return false;
    world_.kill_daemon(*node);
    if (fault == Fault::state_lost) {
        node->states.files.clear();
    } else if (fault == Fault::state_damaged) {
        for (auto& [luid, bytes] : node->states.files) {
            if (world_.chaos.chance(0.3)) bytes->resize(world_.chaos.index(bytes->size() + 1));
            for (auto left = 1 + world_.chaos.below(20); left > 0 && !bytes->empty(); --left)
                (*bytes)[world_.chaos.index(bytes->size())] ^= static_cast<std::byte>(1 + world_.chaos.below(255));
        }
    }
    world_.after(world_.chaos.between(Instant{10ms}, Instant{8s}), [this, node] {
        if (node->kernel && !world_.has_daemon(*node)) world_.start_daemon(*node);
    });
    return true;
}

bool FaultEngine::node_fault(Fault fault) {
    switch (fault) {
        case Fault::daemon_killed:
        case Fault::state_lost:
        case Fault::state_damaged:
            return kill_daemon(fault);
        case Fault::state_unwritable: {
            Node* node = any_node(true);
            if (node == nullptr) return false;
            node->states.failure = "no space left on device";
            world_.after(world_.chaos.between(Instant{100ms}, Instant{10s}), [node] { node->states.failure.clear(); });
            return true;
        }
        case Fault::device_slow:
            world_.slow_device(world_.chaos.between(Instant{200ms}, Instant{8s}));
            return true;
        case Fault::daemon_paused: {
            Node* node = any_node(true);
            if (node == nullptr || world_.is_paused(*node)) return false;
            const bool long_one = world_.chaos.chance(0.2);
            world_.pause(*node, world_.chaos.between(Instant{1ms}, long_one ? Instant{20s} : Instant{2s}));
            return true;
        }
        case Fault::garbage: {
            Node* node = any_node(true);
            if (node == nullptr) return false;
            send_garbage(world_, *node);
            return true;
        }
        case Fault::device_away: {
            for (Mirror& mirror : world_.mirrors())
                if (mirror.disk) mirror.disk->goes_away();
            world_.after(world_.chaos.between(Instant{50ms}, Instant{6s}), [this] { device_comes_back(); });
            return std::any_of(world_.mirrors().begin(), world_.mirrors().end(),
                               [](const Mirror& m) { return m.disk != nullptr; });
        }
        case Fault::suspended:
        case Fault::reloaded:
        case Fault::removed:
        case Fault::load_abandoned:
            administrator(fault);
            return false;
        default:
            // Strikes, and is counted, when its opportunity comes.
            arm(fault, 1 + static_cast<unsigned>(world_.chaos.below(2)));
            return false;
    }
}

void FaultEngine::device_comes_back() {
    for (Mirror& mirror : world_.mirrors())
        if (mirror.disk) mirror.disk->comes_back();
}

void FaultEngine::administrator(Fault fault) {
    Node* node = any_node(false);
    if (node == nullptr) return;
    MappedDevice* device = world_.device(*node, world_.chaos.index(world_.mirrors().size()));
    if (device == nullptr || device->busy() || device->live() == nullptr) return;
    if ((fault == Fault::suspended || fault == Fault::reloaded) && !world_.may_suspend(*node, device->mirror())) return;
    world_.count("fault: " + std::string(name_of(fault)));
    if (world_.tracing()) world_.tell(*node, "the administrator's turn: " + std::string(name_of(fault)));
    if (fault == Fault::suspended)
        node->kernel->start(suspend_and_resume(*device, world_.chaos.chance(0.5)));
    else if (fault == Fault::reloaded)
        node->kernel->start(reload(*device));
    else if (fault == Fault::load_abandoned)
        node->kernel->start(load_in_vain(*device));
    else
        node->kernel->start(remove(*device));
}

void FaultEngine::end() {
    ended_ = true;
    if (partitioned_) world_.cluster.merge();
    partitioned_ = false;
    device_comes_back();
    for (auto& node : world_.nodes()) {
        node->armed = {};
        node->states.failure.clear();
        node->stalled_until = {};
        world_.cluster.try_again_for(node->id, 0);
        world_.cluster.lose_multicasts(node->id, 0);
        world_.cluster.hold_quorum(node->id, false);
        world_.pause(*node, Instant{0});
        if (!node->kernel)
            world_.power_on(*node);
        else if (!node->in_ring)
            world_.start_corosync(*node);
        else if (!world_.has_daemon(*node))
            world_.start_daemon(*node);
    }
}

}  // namespace cmirror::sim
