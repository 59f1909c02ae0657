// The same events in the same order give the same state: whatever kernels ask and whichever daemons and nodes come and
// go, members that have seen equally much are equal, bit for bit.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "tests/unit/log_cluster.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;
using R = RequestType;

/// One thing that happens; what the numbers mean depends on the kind.
struct Happening {
    int kind = 0;
    NodeId node = 1;
    RegionNumber region = 0;
    int choice = 0;
};

std::ostream& operator<<(std::ostream& out, const Happening& what) {
    return out << '{' << what.kind << ", node " << what.node << ", region " << what.region << ", " << what.choice
               << '}';
}

rc::Gen<Happening> any_happening(NodeId node_count) {
    return rc::gen::construct<Happening>(rc::gen::inRange(0, 100), rc::gen::inRange<NodeId>(1, node_count + 1),
                                         rc::gen::inRange<RegionNumber>(0, 70), rc::gen::inRange(0, 12));
}

/// A cluster to which things happen, and what its members' states were after so many events.
class Story {
  public:
    Story(NodeId node_count, const std::string& table) : table_(table), cluster_(table) {
        for (NodeId id = 1; id <= node_count; ++id) {
            there_[id] = Presence::up;
            cluster_.start(id);
        }
    }

    void happen(const Happening& what) {
        if (what.kind < 45) {
            step(what.node);
        } else if (what.kind < 85) {
            ask(what);
        } else if (what.kind < 90) {
            cluster_.advance(what.choice * 500ms);
        } else if (what.kind < 97) {
            come_or_go(what);
        } else {
            divide(what);
        }
        if (cut_) return;
        for (const auto& [id, presence] : there_)
            if (presence == Presence::up) compare(id);
    }

    /// Everything comes back and is delivered.
    void end() {
        heal();
        for (const auto& [id, presence] : there_)
            if (presence != Presence::up) bring_back(id);
        cluster_.advance(60s);
        for (const auto& [id, presence] : there_) {
            resume(id);
            compare(id);
        }
        cluster_.advance(60s);
        for (const auto& [id, presence] : there_) {
            RC_ASSERT(cluster_[id].core->valid());
            RC_ASSERT(cluster_[id].core->state()->ordinal() == cluster_[1].core->state()->ordinal());
            compare(id);
        }
    }

  private:
    enum class Presence { up, killed, crashed };

    void step(NodeId id) {
        if (there_[id] == Presence::up) cluster_.step(id);
    }

    void ask(const Happening& what) {
        if (there_[what.node] != Presence::up) return;
        const RegionList one = LogCluster::regions({what.region});
        const RegionList two = LogCluster::regions({what.region, what.region / 2});
        switch (what.choice) {
            case 0:
            case 1:
                return void(cluster_.ask(what.node, R::mark_region, two));
            case 2:
            case 3:
                return void(cluster_.ask(what.node, R::clear_region, two));
            case 4:
                return void(cluster_.ask(what.node, R::flush, one));
            case 5:
                return void(cluster_.ask(what.node, R::flush));
            case 6:
            case 7:
                return void(cluster_.ask(what.node, R::get_resync_work));
            case 8:
                return void(cluster_.ask(what.node, R::set_region_sync, RegionSync{what.region, true}));
            case 9:
                return void(cluster_.ask(what.node, R::set_region_sync, RegionSync{what.region, false}));
            case 10:
                return void(cluster_.ask(what.node, R::is_remote_recovering, what.region));
            default:
                cluster_.ask(what.node, R::presuspend);
                if (what.region % 2 == 0) cluster_.ask(what.node, R::postsuspend);
                if (what.region % 4 == 0) resume(what.node);
        }
    }

    void resume(NodeId id) {
        const LifeState life = cluster_[id].core->life();
        if (life == LifeState::suspended || life == LifeState::presuspended || life == LifeState::leaving)
            cluster_.ask(id, R::resume);
    }

    void come_or_go(const Happening& what) {
        if (there_[what.node] != Presence::up) return bring_back(what.node);
        if (cut_) return;
        if (what.choice == 0) {
            cluster_.lose_cluster(what.node);
            cluster_.regain_cluster(what.node);
        } else {
            const bool crash = what.choice % 2 == 0;
            there_[what.node] = crash ? Presence::crashed : Presence::killed;
            cluster_.lose({what.node}, crash ? ChangeReason::node_down : ChangeReason::process_down);
        }
    }

    void bring_back(NodeId id) {
        const bool crashed = there_[id] == Presence::crashed;
        there_[id] = Presence::up;
        cluster_.revive(id, crashed);
        cluster_.ask(id, R::ctr, ConstructorText{table_, !crashed});
        cluster_.ask(id, R::resume);
    }

    void divide(const Happening& what) {
        if (cut_) return heal();
        for (const auto& [id, presence] : there_)
            if (presence != Presence::up || cluster_[id].core->life() != LifeState::active) return;
        cluster_.partition({what.node});
        cut_ = true;
    }

    /// Each side has had a state of its own.
    void heal() {
        if (!cut_) return;
        cut_ = false;
        cluster_.heal();
        cluster_.advance(10s);
        seen_.clear();
    }

    void compare(NodeId id) {
        // Who starts alone has a state of its own, that others get from there.
        const auto now_started = started();
        if (std::exchange(started_, now_started) != now_started) seen_.clear();
        const auto& core = *cluster_[id].core;
        if (!core.valid()) return;
        const auto [first, is_new] = seen_.try_emplace(core.state()->ordinal(), core.state()->save());
        const bool equal = is_new || first->second == core.state()->save();
        if (!equal)
            RC_FAIL("node " + std::to_string(id) + " differs after " + std::to_string(first->first) + " events");
    }

    /// Processes that started alone, once for each time.
    std::vector<std::uint32_t> started() {
        std::vector<std::uint32_t> all;
        for (const auto& [id, presence] : there_)
            for (const std::string& line : cluster_[id].lines)
                if (line.find("started alone") != std::string::npos) all.push_back(cluster_[id].process);
        return all;
    }

    std::string table_;
    LogCluster cluster_;
    std::map<NodeId, Presence> there_;
    bool cut_ = false;
    std::vector<std::uint32_t> started_;
    /// By the number of events seen.
    std::map<std::uint64_t, std::vector<std::byte>> seen_;
};

void tell(const std::string& table) {
    const auto node_count = *rc::gen::inRange<NodeId>(2, 6);
    const auto happenings = *rc::gen::container<std::vector<Happening>>(200, any_happening(node_count));
    Story story(node_count, table);
    for (const Happening& what : happenings)
        story.happen(what);
    story.end();
}

RC_GTEST_PROP(EqualStates, members_that_have_seen_equally_much_are_equal, ()) {
    tell("71680 clustered-core 1024");
}

RC_GTEST_PROP(EqualStates, members_with_a_log_device_that_have_seen_equally_much_are_equal, ()) {
    tell("71680 clustered-disk 7:0 1024");
}

}  // namespace
}  // namespace cmirror::mirror_log
