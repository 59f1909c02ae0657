#include "tests/sim/faults.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "messages/wire_kernel.hpp"
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
    world_.power_cut(victims);
    for (const NodeId id : victims) {
        Node& node = world_.node(id);
        world_.after(world_.chaos.between(Instant{1s}, Instant{12s}), [this, &node] {
            if (!node.kernel) world_.power_on(node);
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

bool FaultEngine::node_fault(Fault fault) {
    switch (fault) {
        case Fault::daemon_killed: {
            Node* node = any_node(true);
            if (node == nullptr) return false;
            world_.kill_daemon(*node);
            world_.after(world_.chaos.between(Instant{10ms}, Instant{8s}), [this, node] {
                if (node->kernel && !node->daemon) world_.start_daemon(*node);
            });
            return true;
        }
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
            send_garbage(*node);
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
    world_.count("fault: " + std::string(name_of(fault)));
    if (world_.tracing()) world_.tell(*node, "the mirror is " + std::string(name_of(fault)));
    if (fault == Fault::suspended)
        node->kernel->start(suspend_and_resume(*device, world_.chaos.chance(0.5)));
    else if (fault == Fault::reloaded)
        node->kernel->start(reload(*device));
    else
        node->kernel->start(remove(*device));
}

/// Frames that are no requests, or bad ones, or not the kernel's.
void FaultEngine::send_garbage(Node& node) {
    FakeKernelSocket& socket = node.daemon->socket();
    MappedDevice* device = world_.device(node, 0);
    Random& random = world_.chaos;
    const Luid luid = device != nullptr && device->live() != nullptr ? device->live()->luid() : 1;
    const Mirror& mirror = world_.mirrors()[0];
    KernelRequest request{.seq = World::garbage_seq + static_cast<std::uint32_t>(random.below(1U << 20U)),
                          .type = RequestType::in_sync,
                          .version = 2,
                          .luid = luid,
                          .uuid = mirror.table.uuid,
                          .payload = mirror.profile.regions + random.below(1U << 20U)};
    std::array<std::byte, kernel_frame_size_max> buffer{};
    switch (random.below(6)) {
        case 0: {
            std::vector<std::byte> noise(random.index(kernel_frame_size_max));
            for (std::byte& b : noise)
                b = static_cast<std::byte>(random.next());
            return socket.someone_else_sends(noise);
        }
        case 1:
            request.type = RequestType::set_region_sync;
            request.payload = RegionSync{mirror.profile.regions, true};
            break;
        case 2: {
            request.type = RequestType::mark_region;
            RegionList list;
            list.push_back(~std::uint64_t{0} - random.below(3));
            request.payload = list;
            break;
        }
        case 3:
            request.luid = 7;
            request.type = RequestType::ctr;
            request.payload = ConstructorText{"nonsense", false};
            break;
        case 4:
            return socket.receive_fails_once(ENOBUFS);
        default:
            break;
    }
    std::size_t size = pack_kernel_request(request, buffer);
    if (random.chance(0.3)) size = random.index(size);
    std::vector<std::byte> frame(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    if (random.chance(0.3))
        socket.someone_else_sends(std::move(frame));
    else
        socket.kernel_sends(std::move(frame));
}

void FaultEngine::end() {
    ended_ = true;
    if (partitioned_) world_.cluster.merge();
    partitioned_ = false;
    device_comes_back();
    for (auto& node : world_.nodes()) {
        node->armed = {};
        node->stalled_until = {};
        world_.cluster.try_again_for(node->id, 0);
        world_.cluster.lose_multicasts(node->id, 0);
        world_.cluster.hold_quorum(node->id, false);
        world_.pause(*node, Instant{0});
        if (!node->kernel)
            world_.power_on(*node);
        else if (!node->in_ring)
            world_.start_corosync(*node);
        else if (!node->daemon)
            world_.start_daemon(*node);
    }
}

}  // namespace cmirror::sim
