// Nodes that come and go: power, daemons, corosync.
#include <algorithm>
#include <set>
#include <utility>

#include "tests/sim/application.hpp"
#include "tests/sim/legacy_daemon.hpp"
#include "tests/sim/mapped_device.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

Node::Node(World& in, NodeId called) : world(in), id(called) {}

namespace {

/// What a write that was under way leaves on the disk: a part of it. The disk puts sectors down in any order, so each
/// may be there or not.
void tear(FakeDisk& disk, const WriteDevice& write, double share, Random& random) {
    constexpr std::size_t sector = 512;
    for (const DeviceBlock& block : write.blocks)
        for (std::size_t at = 0; at < block.bytes.size(); at += sector) {
            if (!random.chance(share)) continue;
            const std::size_t size = std::min(sector, block.bytes.size() - at);
            std::copy_n(block.bytes.begin() + static_cast<std::ptrdiff_t>(at), size,
                        disk.bytes().begin() + static_cast<std::ptrdiff_t>(block.offset + at));
        }
}

}  // namespace

void World::power_on(Node& node) {
    ++node.boots;
    node.states.files.clear();
    for (std::uint8_t& byte : node.boot)
        byte = static_cast<std::uint8_t>(fresh.next());
    if (tracing()) tell(node, "boots");
    node.kernel = std::make_unique<Kernel>(node);
    for (std::size_t i = 0; i < mirrors_.size(); ++i) {
        Mirror& mirror = mirrors_[i];
        node.kernel->devices().push_back(std::make_unique<MappedDevice>(*node.kernel, *mirror.data, mirror.table, i));
        MappedDevice& device = *node.kernel->devices().back();
        node.kernel->start(administrate(device));
        for (unsigned k = 0; k < profile.writers; ++k)
            node.kernel->start(write_now_and_then(device));
        for (unsigned k = 0; k < profile.readers; ++k)
            node.kernel->start(read_now_and_then(device));
    }
    after(load.around(300ms), [this, &node, boots = node.boots] {
        if (node.boots == boots && node.kernel && !node.in_ring) start_corosync(node);
    });
}

void World::power_cut(const std::vector<NodeId>& ids) {
    std::set<NodeId> in_ring;
    for (const NodeId id : ids) {
        Node& n = node(id);
        if (tracing()) tell(n, "loses power");
        pause(n, Instant{0});
        if (n.in_ring) in_ring.insert(id);
        // The daemon first, or its connections would say good-bye.
        n.in_ring = false;
    }
    cluster.lose_nodes(in_ring);
    for (const NodeId id : ids) {
        Node& n = node(id);
        if (n.daemon)
            for (auto& queue : n.daemon->devices())
                if (const WriteDevice* write = queue->writing()) {
                    count("path: power cut during a device write");
                    for (Mirror& m : mirrors_)
                        if (m.disk && queue->device_name() == m.device)
                            tear(*m.disk, *write, std::min(chaos.unit() * 1.5, 1.0), chaos);
                }
        n.kernel.reset();
        n.daemon.reset();
        n.legacy_daemon.reset();
        ++n.boots;
    }
}

void World::start_corosync(Node& node) {
    if (tracing()) tell(node, "corosync starts");
    node.in_ring = true;
    cluster.return_node(node.id);
    after(load.around(300ms), [this, &node, boots = node.boots] {
        if (node.boots == boots && node.kernel && !has_daemon(node)) start_daemon(node);
    });
}

void World::stop_corosync(Node& node) {
    if (tracing()) tell(node, "corosync ends");
    node.in_ring = false;
    // The field's daemon does not outlive it.
    node.legacy_daemon.reset();
    cluster.lose_node(node.id);
}

void World::start_daemon(Node& node) {
    // Without corosync it cannot start; it is started again then.
    if (!node.in_ring) return;
    if (tracing()) tell(node, "cmirrord starts");
    if (node.legacy)
        node.legacy_daemon = std::make_unique<LegacyDaemon>(node, node.next_process++);
    else
        node.daemon = std::make_unique<Daemon>(system_, node, node.next_process++);
}

void World::kill_daemon(Node& node) {
    if (tracing()) tell(node, "cmirrord is killed");
    pause(node, Instant{0});
    node.legacy_daemon.reset();
    if (!node.daemon) return;
    // A process ends only after its write has ended.
    for (auto& queue : node.daemon->devices())
        if (const WriteDevice* write = queue->writing())
            for (Mirror& m : mirrors_)
                if (m.disk && queue->device_name() == m.device && chaos.chance(0.7)) tear(*m.disk, *write, 1.0, chaos);
    node.daemon.reset();
}

bool World::legacy_serves(const Mirror& mirror) {
    for (auto& any : nodes_) {
        if (!any->in_ring) continue;
        const std::vector<MemberId> members = cluster.members_at(any->id, mirror.table.uuid);
        if (!members.empty()) return node(members.front().node).legacy;
    }
    return false;
}

MappedDevice* World::device(Node& node, std::size_t mirror) {
    if (!node.kernel || node.kernel->devices().size() <= mirror) return nullptr;
    return node.kernel->devices()[mirror].get();
}

bool World::may_activate(const Node& node, std::size_t mirror) {
    std::vector<NodeId> in_sight;
    if (node.in_ring) in_sight = cluster.view_of(node.id).nodes;
    for (const auto& other : nodes_) {
        if (other->id == node.id || std::find(in_sight.begin(), in_sight.end(), other->id) != in_sight.end()) continue;
        if (!uses(*other, mirror)) continue;
        count("path: activation waits for fencing");
        return false;
    }
    // A core log knows what is written only from its members. While all that use it are without a daemon, nobody knows.
    if (mirrors_[mirror].disk || another_has_state(node, mirror)) return true;
    return std::none_of(nodes_.begin(), nodes_.end(), [&](const auto& other) {
        return other->id != node.id && !other->daemon && !other->legacy_daemon && uses(*other, mirror);
    });
}

bool World::uses(Node& node, std::size_t mirror) {
    MappedDevice* used = device(node, mirror);
    return used != nullptr && (used->live() != nullptr || used->busy());
}

bool World::may_suspend(const Node& node, std::size_t mirror) {
    return another_has_state(node, mirror) || may_activate(node, mirror);
}

/// A node in sight of this one.
bool World::another_has_state(const Node& node, std::size_t mirror) {
    const Uuid& uuid = mirrors_[mirror].table.uuid;
    for (const auto& other : nodes_) {
        if (other->id == node.id || !other->daemon || !node.in_ring) continue;
        const auto in_sight = cluster.view_of(node.id).nodes;
        if (std::find(in_sight.begin(), in_sight.end(), other->id) == in_sight.end()) continue;
        for (const RunningLog& log : other->daemon->logs())
            if (log.uuid == uuid && log.core != nullptr && log.core->valid()) return true;
    }
    return false;
}

/// Faults of the device strike when a call reaches it.
void World::before_device_call(Node& node) {
    const bool write_fails = strikes(Fault::device_write_fails, node);
    const bool write_torn = strikes(Fault::device_write_torn, node);
    const bool read_fails = strikes(Fault::device_read_fails, node);
    for (Mirror& m : mirrors_) {
        if (!m.disk) continue;
        if (read_fails) m.disk->fail_next(FakeDisk::Call::read, 5);
        if (write_fails) m.disk->fail_next(FakeDisk::Call::write, 5);
        if (write_torn) m.disk->tear_next_write(chaos.index(4096), 5);
    }
}

/// Where the configuration says that fencing has acted after a time, it has.
void World::fence() {
    const Instant limit = profile.settings.fenced_after;
    if (limit == Instant{0}) return;
    std::vector<NodeId> late;
    for (auto& n : nodes_) {
        const bool inside = n->in_ring && cluster.view_of(n->id).quorate;
        if (inside || !n->kernel) {
            outside_since_.erase(n->id);
            continue;
        }
        const auto since = outside_since_.try_emplace(n->id, now()).first->second;
        if (now() - since >= limit / 2) late.push_back(n->id);
    }
    if (late.empty()) return;
    count("path: fenced");
    cut_for_a_while(late);
}

/// Those that use the mirror and that the node, which has quorum, does not see.
void World::fence_out_of_sight(const Node& node, std::size_t mirror) {
    if (!node.in_ring || !cluster.view_of(node.id).quorate) return;
    const std::vector<NodeId> in_sight = cluster.view_of(node.id).nodes;
    std::vector<NodeId> unseen;
    for (const auto& other : nodes_) {
        if (std::find(in_sight.begin(), in_sight.end(), other->id) != in_sight.end()) continue;
        if (uses(*other, mirror)) unseen.push_back(other->id);
    }
    if (unseen.empty()) return;
    count("path: fenced before a log starts anew");
    cut_for_a_while(unseen);
}

void World::cut_for_a_while(const std::vector<NodeId>& nodes) {
    power_cut(nodes);
    for (const NodeId id : nodes) {
        Node& n = node(id);
        after(chaos.between(Instant{3s}, Instant{12s}), [this, &n] {
            if (!n.kernel) power_on(n);
        });
    }
}

}  // namespace cmirror::sim
