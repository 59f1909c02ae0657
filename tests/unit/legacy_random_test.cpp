// Mixed groups under random requests, joins, leaves and deaths: what must hold whatever happens.
#include <array>

#include "tests/unit/legacy_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

class RandomMixed : public MixedGroup {
  protected:
    std::uint64_t random(std::uint64_t below) {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t x = state_;
        x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
        x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
        return (x ^ (x >> 31U)) % below;
    }

    /// A node of the cluster: nothing, one of ours, or a legacy one; and what its kernel does.
    struct Actor {
        enum class Kind { away, ours, legacy } kind = Kind::away;
        std::set<RegionNumber> writes;
        std::optional<RegionNumber> copies;
        std::uint32_t flush = 0;
        std::vector<RegionNumber> flushing;
        std::uint32_t work = 0;
        bool constructed = false;
    };
    static constexpr NodeId nodes = 5;
    std::array<Actor, nodes + 1> actors_;
    std::uint64_t state_ = 0;
    std::uint64_t recovered_ = 0;
    std::uint64_t joins_ = 0;
    bool died_ = false;

    bool serves(NodeId id) { return node(id).core && node(id).core->life() == LifeState::active; }

    void run(std::uint64_t seed, bool deaths) {
        use(core_log);
        actors_ = {};
        state_ = seed * 77777;
        died_ = false;
        come(1 + static_cast<NodeId>(random(nodes)), random(2) == 0);
        cluster->settle();
        for (int i = 0; i < 300; ++i) {
            act(1 + static_cast<NodeId>(random(nodes)), deaths);
            for (std::uint64_t steps = random(12); steps > 0; --steps) {
                const auto id = 1 + static_cast<NodeId>(random(nodes));
                if (actors_[id].kind != Actor::Kind::away) cluster->step(id);
            }
            if (random(4) == 0) cluster->settle();
            if (random(10) == 0) cluster->advance(std::chrono::milliseconds{random(3000)});
            answers();
            ASSERT_NO_FATAL_FAILURE(check()) << "seed " << seed << " step " << i;
        }
        cluster->settle();
        for (int round = 0; round < 3; ++round) {
            for (NodeId id = 1; id <= nodes; ++id)
                if (actors_[id].copies) end_copy(id, true);
            cluster->advance(std::chrono::seconds{10});
            answers();
        }
        ASSERT_NO_FATAL_FAILURE(check_quiet()) << "seed " << seed;
    }

    void come(NodeId id, bool legacy_one) {
        Actor& a = actors_[id];
        ++joins_;
        a = {};
        if (legacy_one) {
            a.kind = Actor::Kind::legacy;
            cluster->join_legacy(id, region_count);
            return;
        }
        a.kind = Actor::Kind::ours;
        cluster->add(id);
        cluster->ask(id, R::ctr, ConstructorText{core_log, false});
        cluster->ask(id, R::resume);
    }

    void act(NodeId id, bool deaths) {
        Actor& a = actors_[id];
        if (a.kind == Actor::Kind::away) {
            if (random(6) == 0) come(id, random(2) == 0);
            return;
        }
        const bool is_legacy = a.kind == Actor::Kind::legacy;
        if (is_legacy ? !legacy(id).valid() : !serves(id)) return;
        const RegionNumber region = random(region_count);
        switch (random(12)) {
            case 0:
            case 1:
            case 2:
                // A kernel writes to what is in sync alone, or waits.
                if (a.flush != 0 || a.writes.contains(region) || a.copies == region) return;
                a.flushing = {region};
                if (is_legacy) {
                    if (!legacy(id).in_sync(region)) return a.flushing.clear();
                    legacy_ask(id, R::mark_region, {region});
                    a.flush = legacy_ask(id, R::flush);
                } else {
                    if (!state(id).sync().test(region)) return a.flushing.clear();
                    cluster->ask(id, R::mark_region, list({region}));
                    a.flush = cluster->ask(id, R::flush);
                }
                return;
            case 3:
            case 4:
            case 5:
                if (a.writes.empty()) return;
                return clear(id, *a.writes.begin());
            case 6:
            case 7:
            case 8:
                if (a.work != 0 || a.copies) return;
                a.work = is_legacy ? legacy_ask(id, R::get_resync_work) : cluster->ask(id, R::get_resync_work);
                return;
            case 9:
                if (a.copies) return end_copy(id, random(8) != 0);
                return;
            case 10:
                if (random(5) == 0) leave(id);
                return;
            default:
                if (deaths && random(8) == 0) die(id);
        }
    }

    void clear(NodeId id, RegionNumber region) {
        actors_[id].writes.erase(region);
        if (actors_[id].kind == Actor::Kind::legacy)
            legacy_ask(id, R::clear_region, {region});
        else
            cluster->ask(id, R::clear_region, list({region}));
    }

    void end_copy(NodeId id, bool well) {
        Actor& a = actors_[id];
        const RegionNumber region = *std::exchange(a.copies, std::nullopt);
        recovered_ += well ? 1U : 0U;
        if (a.kind == Actor::Kind::legacy) {
            legacy_ask(id, R::set_region_sync, {region, well ? 1U : 0U});
            legacy_ask(id, R::clear_region, {region});
        } else {
            cluster->ask(id, R::set_region_sync, RegionSync{region, well});
            cluster->ask(id, R::clear_region, list({region}));
        }
    }

    void leave(NodeId id) {
        Actor& a = actors_[id];
        if (a.flush != 0 || a.work != 0) return;
        if (a.copies) end_copy(id, true);
        while (!a.writes.empty())
            clear(id, *a.writes.begin());
        if (a.kind == Actor::Kind::legacy) {
            cluster->leave_legacy(id);
        } else {
            call(id, R::presuspend);
            call(id, R::postsuspend);
            cluster->advance(std::chrono::seconds{6});
            call(id, R::dtr);
            cluster->settle();
        }
        a = {};
    }

    void die(NodeId id) {
        died_ = true;
        cluster->crash(id);
        actors_[id] = {};
    }

    void answers() {
        for (NodeId id = 1; id <= nodes; ++id) {
            Actor& a = actors_[id];
            if (a.kind == Actor::Kind::away) continue;
            const bool is_legacy = a.kind == Actor::Kind::legacy;
            if (a.flush != 0 && (is_legacy ? legacy(id).reply_to(a.flush).has_value() : answered(id, a.flush))) {
                a.writes.insert(a.flushing.begin(), a.flushing.end());
                a.flushing.clear();
                a.flush = 0;
            }
            if (a.work == 0) continue;
            if (is_legacy) {
                const auto reply = legacy(id).reply_to(a.work);
                if (!reply) continue;
                if (reply->integers.at(0) != 0) {
                    a.copies = reply->integers.at(1);
                }
            } else {
                const auto reply = cluster->reply_to(id, a.work);
                if (!reply) continue;
                const auto& work = std::get<FlagAndRegion>(reply->payload);
                if (work.flag != 0) {
                    a.copies = work.region;
                }
            }
            a.work = 0;
        }
    }

    /// A legacy server whose copy differs may give a region away twice: then nobody's copy of it counts.
    bool counts_as_ours_alone(NodeId id) {
        if (actors_[id].kind != Actor::Kind::ours || !serves(id) || !node(id).inbox.empty()) return false;
        return state(id).grants().granted_to(*actors_[id].copies) == owner(id);
    }

    /// At any time.
    void check() {
        for (NodeId writer = 1; writer <= nodes; ++writer) {
            // What a legacy member marked before ours came, other legacy members may have called clean.
            if (actors_[writer].kind == Actor::Kind::legacy) continue;
            for (const RegionNumber region : actors_[writer].writes) {
                for (NodeId id = 1; id <= nodes; ++id) {
                    // Its events may still be on their way, and a legacy server confirms nothing for others.
                    if (actors_[id].kind != Actor::Kind::ours || !serves(id) || !node(id).inbox.empty()) continue;
                    ASSERT_FALSE(state(id).clean().test(region)) << "region " << region << " written by " << writer;
                }
            }
        }
        for (NodeId a = 1; a <= nodes; ++a)
            for (NodeId b = 1; b <= nodes; ++b) {
                if (!actors_[a].copies || a == b) continue;
                const bool twice = actors_[b].copies == actors_[a].copies;
                ASSERT_FALSE(twice && counts_as_ours_alone(a)) << "copied twice";
                if (actors_[b].kind != Actor::Kind::ours) continue;
                ASSERT_FALSE(actors_[b].writes.contains(*actors_[a].copies)) << "copied and written";
            }
    }

    /// When nothing is under way.
    void check_quiet() {
        std::vector<NodeId> ours;
        std::vector<NodeId> theirs;
        for (NodeId id = 1; id <= nodes; ++id) {
            if (actors_[id].kind == Actor::Kind::ours && serves(id)) ours.push_back(id);
            if (actors_[id].kind == Actor::Kind::legacy && legacy(id).valid()) theirs.push_back(id);
        }
        for (const NodeId id : ours) {
            ASSERT_EQ(state(id).ordinal(), state(ours.front()).ordinal());
            ASSERT_EQ(state(id).save(), state(ours.front()).save()) << "nodes " << ours.front() << " and " << id;
            for (const NodeId other : theirs)
                for (RegionNumber region = 0; region < region_count; ++region) {
                    const bool sync_alike = state(id).sync().test(region) || !legacy(other).in_sync(region);
                    // Legacy members do not ask whose a dirty region is.
                    const bool unknown = state(id).marks().of(unknown_owner).contains(region);
                    const bool clean_alike = unknown || state(id).clean().test(region) || !legacy(other).clean(region);
                    ASSERT_TRUE(sync_alike) << region << " nodes " << id << " and " << other;
                    ASSERT_TRUE(clean_alike) << region << " nodes " << id << " and " << other;
                }
        }
        // Nobody waits for ever.
        if (died_) return;
        for (NodeId id = 1; id <= nodes; ++id) {
            if (actors_[id].kind == Actor::Kind::away) continue;
            ASSERT_TRUE(actors_[id].kind == Actor::Kind::ours ? serves(id) : legacy(id).valid()) << id;
        }
    }
};

TEST_F(RandomMixed, orderly_groups) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed)
        ASSERT_NO_FATAL_FAILURE(run(seed, false));
    EXPECT_GT(recovered_, 100U);
    EXPECT_GT(joins_, 1000U);
}

TEST_F(RandomMixed, groups_whose_nodes_die) {
    for (std::uint64_t seed = 1001; seed <= 1200; ++seed)
        ASSERT_NO_FATAL_FAILURE(run(seed, true));
    EXPECT_GT(recovered_, 100U);
}

}  // namespace
}  // namespace cmirror::mirror_log
