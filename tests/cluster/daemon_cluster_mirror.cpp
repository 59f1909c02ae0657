// What the kernels of the daemons ask: one mirror that is recovered, written to, suspended.
#include <algorithm>
#include <utility>

#include "tests/cluster/daemon_cluster.hpp"

namespace cmirror::test {
namespace {

using Clock = KernelStandIn::Clock;

/// The kernel asks 4 times a second.
constexpr auto ask_again = std::chrono::milliseconds{250};

Uuid uuid() {
    return *Uuid::from_text("LVM-three-daemons");
}

RegionList list(RegionNumber region) {
    RegionList regions;
    regions.push_back(region);
    return regions;
}

}  // namespace

void Rules::copy_begins(NodeId node, RegionNumber region) {
    const auto what = "node " + std::to_string(node) + " was given region " + std::to_string(region);
    const auto other = copied.find(region);
    if (other != copied.end() && other->second != node)
        says(what + " while node " + std::to_string(other->second) + " copies it");
    for (const auto& [writer, regions] : written)
        if (writer != node && regions.contains(region))
            says(what + " while node " + std::to_string(writer) + " writes it");
    copied[region] = node;
}

void Rules::copy_ends(NodeId node, RegionNumber region) {
    const auto found = copied.find(region);
    if (found != copied.end() && found->second == node) copied.erase(found);
}

void Rules::write_begins(NodeId node, RegionNumber region) {
    const auto copier = copied.find(region);
    if (copier != copied.end() && copier->second != node)
        says("node " + std::to_string(node) + " may write region " + std::to_string(region) + " while node " +
             std::to_string(copier->second) + " copies it");
    written[node].insert(region);
}

void DaemonCluster::later(std::function<void()> then) {
    timers_.emplace(Clock::now() + ask_again, std::move(then));
}

void DaemonCluster::go_on(Node& node, std::function<void()> then) {
    if (!node.suspended) return then();
    --node.tasks;
    node.paused.push_back(std::move(then));
}

void DaemonCluster::expect_ok(Node& node, RequestType type, const KernelAnswer& answer) {
    if (answer.error != 0)
        rules.says("node " + std::to_string(node.id) + ": " + std::string(name_of(type)) + " failed with " +
                   std::to_string(answer.error));
}

void DaemonCluster::create(NodeId id) {
    Node& node = *nodes_.at(id);
    node.kernel->use(uuid(), node.luid, table_);
    const auto created = ask(id, RequestType::ctr, ConstructorText{table_, false});
    const auto resumed = ask(id, RequestType::resume);
    if (!created || created->error != 0 || !resumed || resumed->error != 0)
        rules.says("node " + std::to_string(id) + " could not create its log");
}

void DaemonCluster::create_all() {
    for (const auto& [id, node] : nodes_)
        create(id);
}

std::optional<KernelAnswer> DaemonCluster::ask(NodeId id, RequestType type, RequestPayload payload) {
    auto answer = std::make_shared<std::optional<KernelAnswer>>();
    nodes_.at(id)->kernel->ask(type, std::move(payload), [answer](const KernelAnswer& given) { *answer = given; });
    until([answer] { return answer->has_value(); });
    return *answer;
}

void DaemonCluster::recover(NodeId id) {
    Node& node = *nodes_.at(id);
    ++node.tasks;
    recover_next(node);
}

void DaemonCluster::recover_next(Node& node) {
    node.kernel->ask(RequestType::get_resync_work, {}, [this, &node](const KernelAnswer& work) {
        expect_ok(node, RequestType::get_resync_work, work);
        if (work.error == 0 && work.numbers.at(0) == 1) {
            const RegionNumber region = work.numbers.at(1);
            rules.copy_begins(node.id, region);
            rules.copy_ends(node.id, region);
            const auto next = [this, &node](const KernelAnswer&) {
                go_on(node, [this, &node] { recover_next(node); });
            };
            node.kernel->ask(RequestType::set_region_sync, RegionSync{region, true}, [](const KernelAnswer&) {});
            node.kernel->ask(RequestType::clear_region, list(region), [](const KernelAnswer&) {});
            node.kernel->ask(RequestType::flush, RegionList{}, next);
            return;
        }
        node.kernel->ask(RequestType::get_sync_count, {}, [this, &node](const KernelAnswer& count) {
            if (count.error == 0 && count.numbers.at(0) == region_count) {
                --node.tasks;
                return;
            }
            later([this, &node] { go_on(node, [this, &node] { recover_next(node); }); });
        });
    });
}

void DaemonCluster::write(NodeId id, RegionNumber first) {
    Node& node = *nodes_.at(id);
    ++node.tasks;
    write_next(node, first, first);
}

void DaemonCluster::write_next(Node& node, RegionNumber region, RegionNumber first) {
    if (stopping_) {
        --node.tasks;
        return;
    }
    node.kernel->ask(RequestType::is_remote_recovering, region, [=, this, &node](const KernelAnswer& answer) {
        expect_ok(node, RequestType::is_remote_recovering, answer);
        if (answer.error != 0 || answer.numbers.at(0) == 1) {
            later([=, this, &node] { go_on(node, [=, this, &node] { write_next(node, region, first); }); });
            return;
        }
        node.kernel->ask(RequestType::in_sync, region, [=, this, &node](const KernelAnswer& in_sync) {
            expect_ok(node, RequestType::in_sync, in_sync);
            if (in_sync.error == 0 && in_sync.numbers.at(0) == 1) return mark(node, region, first);
            // Such a write goes to the primary leg alone, unmarked.
            later([=, this, &node] { go_on(node, [=, this, &node] { write_next(node, region, first); }); });
        });
    });
}

void DaemonCluster::mark(Node& node, RegionNumber region, RegionNumber first) {
    node.kernel->ask(RequestType::mark_region, list(region), [=, this, &node](const KernelAnswer& marked) {
        expect_ok(node, RequestType::mark_region, marked);
        node.kernel->ask(RequestType::flush, RegionList{}, [=, this, &node](const KernelAnswer& flushed) {
            expect_ok(node, RequestType::flush, flushed);
            rules.write_begins(node.id, region);
            ++node.writes;
            note_write(node);
            rules.write_ends(node.id, region);
            node.kernel->ask(RequestType::clear_region, list(region), [](const KernelAnswer&) {});
            const RegionNumber next = region + node_count < region_count ? region + node_count : first;
            node.kernel->ask(RequestType::flush, RegionList{}, [=, this, &node](const KernelAnswer&) {
                go_on(node, [=, this, &node] { write_next(node, next, first); });
            });
        });
    });
}

std::shared_ptr<const bool> DaemonCluster::mark_once(NodeId id, RegionNumber region) {
    Node& node = *nodes_.at(id);
    auto durable = std::make_shared<bool>(false);
    node.kernel->ask(RequestType::mark_region, list(region), [](const KernelAnswer&) {});
    node.kernel->ask(RequestType::flush, RegionList{}, [=, this, &node](const KernelAnswer& flushed) {
        expect_ok(node, RequestType::flush, flushed);
        *durable = true;
        node.kernel->ask(RequestType::clear_region, list(region), [](const KernelAnswer&) {});
    });
    return durable;
}

void DaemonCluster::note_write(Node& node) {
    const auto now = Clock::now();
    if (node.last_write != Clock::time_point{})
        node.longest_pause = std::max(node.longest_pause, now - node.last_write);
    node.last_write = now;
}

Clock::duration DaemonCluster::longest_pause(NodeId id) {
    Node& node = *nodes_.at(id);
    const auto now = Clock::now();
    const auto going_on = node.last_write == Clock::time_point{} ? Clock::duration{0} : now - node.last_write;
    node.last_write = now;
    return std::max(std::exchange(node.longest_pause, Clock::duration{0}), going_on);
}

void DaemonCluster::suspend_and_resume(NodeId id, unsigned times) {
    Node& node = *nodes_.at(id);
    node.suspends_left = times;
    suspend_next(node);
}

void DaemonCluster::suspend_next(Node& node) {
    node.suspended = true;
    if (node.tasks > 0) return later([this, &node] { suspend_next(node); });
    node.kernel->ask(RequestType::presuspend, {}, [=, this, &node](const KernelAnswer& first) {
        expect_ok(node, RequestType::presuspend, first);
        node.kernel->ask(RequestType::postsuspend, {}, [=, this, &node](const KernelAnswer& second) {
            expect_ok(node, RequestType::postsuspend, second);
            node.kernel->ask(RequestType::resume, {}, [=, this, &node](const KernelAnswer& third) {
                expect_ok(node, RequestType::resume, third);
                node.suspended = false;
                for (auto& then : std::exchange(node.paused, {})) {
                    ++node.tasks;
                    then();
                }
                if (--node.suspends_left > 0) later([this, &node] { suspend_next(node); });
            });
        });
    });
}

}  // namespace cmirror::test
