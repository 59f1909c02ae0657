// After a restart of the daemon the kernel creates all its instances of a uuid again, and uses one of them.
#include <gtest/gtest.h>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

struct Aside : Group {
    Aside() {
        start({1, 2, 3});
        recover_all(1);
    }
    /// A new daemon on node 1, as far as the kernel's RESUME; nothing of that is delivered yet.
    void create_again() {
        cluster->kill(1);
        cluster->revive(1, false);
        call(1, R::ctr, ConstructorText{core_log, true});
        cluster->ask(1, R::resume);
    }
};

// Two instances are created again, and the one in use hears first that there is another: its kernel's hint and marks
// are as unknown as before.
TEST_F(Aside, log_that_gives_way_before_it_is_known_to_be_in_use_keeps_what_it_knows_of_its_kernel) {
    cluster->lose_state_files = true;
    for (const NodeId id : {2U, 3U})
        suspend(id);
    create_again();
    ASSERT_EQ(node(1).core->life(), LifeState::joining);
    cluster->supersede(1);
    EXPECT_EQ(node(1).core->life(), LifeState::suspended);
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 1U) << "a write that was let pass is on its way";
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(state(1).marks().has_everything(owner(1)));
}

// The earlier daemon had answered its MARK, and told nobody of it.
TEST_F(Aside, flush_of_a_log_that_gave_way_waits_until_its_mark_is_durable) {
    cluster->ask(1, R::mark_region, list({9}));
    create_again();
    cluster->supersede(1);
    ASSERT_EQ(node(1).core->life(), LifeState::suspended);
    const auto flush = cluster->ask(1, R::flush, RegionList{});
    EXPECT_FALSE(answered(1, flush));
    cluster->settle();
    EXPECT_TRUE(answered(1, flush));
    EXPECT_TRUE(state(2).marks().marked_by(owner(1), 9));
}

TEST_F(Aside, log_that_gave_way_may_be_suspended_after_all) {
    cluster->ask(1, R::mark_region, list({9}));
    create_again();
    cluster->supersede(1);
    for (const R type : {R::presuspend, R::postsuspend, R::flush})
        EXPECT_EQ(error(1, type), 0);
    EXPECT_EQ(node(1).core->life(), LifeState::suspended);
}

// It waits for its end, with a mark that its kernel never cleared; the daemon is restarted, and another instance is in
// use.
TEST_F(Aside, marks_that_outlasted_a_suspend_show_no_use_to_the_next_daemon) {
    call(1, R::flush, list({5}));
    suspend(1);
    create_again();
    cluster->supersede(1);
    EXPECT_EQ(error(1, R::flush, RegionList{}), 0);
    EXPECT_EQ(node(1).core->life(), LifeState::suspended);
    // Should it be resumed after all, its kernel has cached the region as one to be recovered.
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{6}), 1U);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_FALSE(state(1).sync().test(5));
}

// It was in use all the same: nobody has said that its kernel has drained its writes.
TEST_F(Aside, who_is_superseded_with_unknown_marks_has_them_still_when_it_is_back) {
    cluster->lose_state_files = true;
    cluster->kill(1);
    cluster->restart(1, false);
    ASSERT_TRUE(state(1).marks().has_everything(owner(1)));
    cluster->supersede(1);
    cluster->settle();
    ASSERT_EQ(node(1).core->life(), LifeState::suspended);
    EXPECT_EQ(integer(1, R::in_sync, RegionNumber{5}), 1U);
    ASSERT_TRUE(node(1).core->valid());
    EXPECT_TRUE(state(1).marks().has_everything(owner(1)));
    for (const R type : {R::presuspend, R::postsuspend, R::resume})
        EXPECT_EQ(error(1, type), 0);
    EXPECT_FALSE(state(1).marks().has_everything(owner(1)));
}

}  // namespace
}  // namespace cmirror::mirror_log
