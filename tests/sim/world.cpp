// Time, actors and the cluster's steps. Nodes are in world_nodes.cpp, what is told of them in world_events.cpp, the end
// of a run in world_end.cpp.
#include "tests/sim/world.hpp"

#include <array>
#include <caf/scheduled_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <utility>

#include "messages/invariant.hpp"
#include "tests/sim/faults.hpp"
#include "tests/sim/legacy_daemon.hpp"
#include "tests/sim/mapped_device.hpp"

namespace cmirror::sim {

namespace {

constexpr std::uint64_t sectors_per_region = 1024;
constexpr std::size_t disk_bytes = std::size_t{1} << 16U;
/// Far above what any run needs; a timer that is due again at once never ends.
constexpr std::uint64_t events_at_once_max = 100'000;

Mirror make_mirror(const MirrorProfile& profile, std::size_t number) {
    const std::string device = "7:" + std::to_string(number);
    std::string arguments = std::to_string(profile.regions * sectors_per_region);
    arguments += profile.disk_log ? " clustered-disk " + device : " clustered-core";
    arguments += " " + std::to_string(sectors_per_region) + (profile.nosync ? " nosync" : "");
    Mirror mirror;
    mirror.profile = profile;
    mirror.device = device;
    mirror.table = {.uuid = *Uuid::from_text("LVM-mirror-" + std::to_string(number)),
                    .arguments = std::move(arguments),
                    .regions = profile.regions,
                    .disk_log = profile.disk_log,
                    .integrated_flush = profile.integrated_flush};
    mirror.data = std::make_unique<MirrorData>(profile.regions, profile.slots, profile.legs, profile.nosync);
    if (profile.disk_log) mirror.disk = std::make_shared<FakeDisk>(disk_bytes);
    return mirror;
}

caf::scheduler::test_coordinator& scheduler_of(caf::actor_system& system) {
    auto* scheduler = dynamic_cast<caf::scheduler::test_coordinator*>(&system.scheduler());
    CMIRROR_INVARIANT(scheduler != nullptr);
    return *scheduler;
}

}  // namespace

World::World(caf::actor_system& system, const Options& the_options)
    : options(the_options),
      profile(draw_profile(options)),
      load(options.seed ^ 0x6c6f6164U),
      network(options.seed ^ 0x6e657477U),
      chaos(options.seed ^ 0x6368616fU),
      fresh(options.seed ^ 0x66726573U),
      cluster(descriptors),
      system_(system),
      scheduler_(scheduler_of(system)) {
    start_ = now();
    cluster.set_automatic(false);
    for (const MirrorProfile& m : profile.mirrors) {
        mirrors_.push_back(make_mirror(m, mirrors_.size()));
        if (mirrors_.back().disk) disks.add(mirrors_.back().device, mirrors_.back().disk);
    }
    checkers_ = all_checkers(*this);
    faults_ = std::make_unique<FaultEngine>(*this);
    for (NodeId id = 1; id <= options.nodes; ++id) {
        nodes_.push_back(std::make_unique<Node>(*this, id));
        cluster.add_node(id);
        cluster.lose_node(id);
        nodes_.back()->legacy = profile.legacy_nodes.contains(id);
    }
}

World::~World() {
    for (auto& node : nodes_) {
        pause(*node, Instant{0});
        node->daemon.reset();
        node->legacy_daemon.reset();
        node->kernel.reset();
    }
    scheduler_.clock().cancel_all();
    run_jobs();
}

Instant World::now() const {
    return scheduler_.clock().now().time_since_epoch();
}

bool World::run() {
    for (auto& node : nodes_)
        after(load.around(1s), [this, n = node.get()] {
            if (!n->kernel) power_on(*n);
        });
    after(1s, [this] { tick(); });
    after(Instant{3s}, [this] { faults_->start(); });
    const Instant end = start_ + options.length;
    while (step(end)) {
    }
    if (!violation_) finish();
    if (violation_ && tracing()) tell_logs();
    count_cluster();
    return !violation_;
}

void World::count_cluster() {
    const FakeCluster::Tally& tally = cluster.tally();
    constexpr std::array<std::pair<ChangeReason, std::string_view>, 5> reasons{{
        {ChangeReason::join, "path: change for the reason join"},
        {ChangeReason::leave, "path: change for the reason leave"},
        {ChangeReason::node_down, "path: change for the reason node down"},
        {ChangeReason::node_up, "path: change for the reason node up"},
        {ChangeReason::process_down, "path: change for the reason process down"},
    }};
    for (const auto& [reason, name] : reasons)
        if (const auto found = tally.reasons.find(reason); found != tally.reasons.end())
            counters.add(name, found->second);
    counters.add("path: change with several entries", tally.several_entries);
    counters.add("path: multicast to be tried again", tally.try_again);
    counters.add("path: multicast accepted and lost", tally.vanished);
    counters.add("path: message lost as its ring broke", tally.lost_at_change);
    counters.add("path: message lost with its sender", tally.lost_with_sender);
}

/// One event and everything that follows from it at the same time. False if there is none before `end`.
bool World::step(Instant end) {
    const auto& timers = scheduler_.clock().schedule();
    Instant next = queue_.empty() ? Instant::max() : queue_.next();
    if (!timers.empty()) next = std::min(next, Instant{timers.begin()->first.time_since_epoch()});
    if (next > end || violation_) return false;
    ++events_;
    if (next > now()) {
        events_at_once_ = 0;
        scheduler_.advance_time(next - now());
    } else {
        if (++events_at_once_ > events_at_once_max)
            violation("bounds", 0, "more than " + std::to_string(events_at_once_max) + " events at one moment");
        scheduler_.advance_time(Instant{0});
    }
    if (!queue_.empty() && queue_.next() <= now()) queue_.take()();
    run_actors();
    check();
    return true;
}

void World::run_actors() {
    for (bool more = true; more;) {
        run_jobs();
        more = false;
        for (auto& node : nodes_)
            if (node->daemon && !is_paused(*node))
                more = node->daemon->watcher().poll_now() > 0 || more;
            else if (node->legacy_daemon)
                more = node->legacy_daemon->poll() || more;
    }
    collect_replies();
    plan_cluster();
}

void World::run_jobs() {
    bool any_paused = false;
    for (auto& node : nodes_)
        any_paused = any_paused || (node->daemon && is_paused(*node));
    auto& jobs = scheduler_.jobs;
    while (!jobs.empty()) {
        if (any_paused) {
            auto* actor = dynamic_cast<caf::scheduled_actor*>(jobs.front());
            Node* owner = nullptr;
            for (auto& node : nodes_)
                if (actor != nullptr && node->daemon && is_paused(*node) && node->daemon->owns(actor->id()))
                    owner = node.get();
            if (owner != nullptr) {
                held_jobs_[owner->id].push_back(jobs.front());
                jobs.pop_front();
                continue;
            }
        }
        scheduler_.run_once();
    }
}

void World::pause(Node& node, Instant time) {
    node.paused_until = now() + time;
    if (time > Instant{0}) {
        after(time, [this, &node] {
            if (!is_paused(node)) pause(node, Instant{0});
        });
        return;
    }
    for (auto* job : std::exchange(held_jobs_[node.id], {}))
        scheduler_.jobs.push_back(job);
}

void World::collect_replies() {
    for (auto& node : nodes_) {
        if (!node->daemon) continue;
        for (auto& frame : node->daemon->socket().take_answers())
            if (node->kernel) node->kernel->frame_from_daemon(std::move(frame));
    }
}

/// What waits in the cluster moves on after a while.
void World::plan_cluster() {
    for (const NodeId id : cluster.nodes_to_order()) {
        Node& n = node(id);
        if (n.to_order_planned) continue;
        n.to_order_planned = true;
        after(network.around(profile.to_order), [this, &n] {
            n.to_order_planned = false;
            for (auto some = 1 + network.below(4); some > 0 && cluster.order_next(n.id); --some) {
            }
        });
    }
    for (const NodeId id : cluster.nodes_to_deliver()) {
        Node& n = node(id);
        if (n.to_deliver_planned) continue;
        n.to_deliver_planned = true;
        const Instant stall = std::max(n.stalled_until - now(), Instant{0});
        after(stall + network.around(profile.to_deliver), [this, &n] {
            n.to_deliver_planned = false;
            if (n.stalled_until > now()) return;
            for (auto some = 1 + network.below(4); some > 0 && cluster.is_up(n.id) && cluster.deliver_next(n.id);
                 --some) {
            }
        });
    }
}

void World::check() {
    for (auto& checker : checkers_)
        checker->after_event();
    if (cluster_at_rest())
        for (auto& checker : checkers_)
            checker->at_rest();
}

bool World::cluster_at_rest() {
    for (auto& node : nodes_)
        if (node->daemon && is_paused(*node)) return false;
    return cluster.nodes_to_order().empty() && cluster.nodes_to_deliver().empty();
}

void World::tick() {
    for (auto& checker : checkers_)
        checker->every_second();
    fence();
    after(1s, [this] { tick(); });
}

bool World::strikes(Fault fault, Node& node) {
    unsigned& armed = node.armed[static_cast<std::size_t>(fault)];
    if (armed == 0) return false;
    --armed;
    count("fault: " + std::string(name_of(fault)));
    return true;
}

Instant World::device_latency() {
    constexpr Instant slowest = 2s;
    const Instant usual = load.around(profile.device);
    return slow_until_ > now() ? std::min(usual * 100, slowest) : usual;
}

}  // namespace cmirror::sim
