// The life of an instance, walked cell by cell.
#include "actors/mirror_log/life_cycle.hpp"

#include <gtest/gtest.h>

namespace cmirror::mirror_log {
namespace {

constexpr std::array all_states{LifeState::opening,      LifeState::pending, LifeState::joining,  LifeState::active,
                                LifeState::presuspended, LifeState::leaving, LifeState::suspended};
static_assert(all_states.size() == life_state_count);

constexpr RequestType type_of(int number) {
    return static_cast<RequestType>(number);
}
constexpr int first_type = 1;
constexpr int last_type = 17;

bool is_io(RequestType type) {
    switch (type) {
        case RequestType::is_clean:
        case RequestType::in_sync:
        case RequestType::flush:
        case RequestType::mark_region:
        case RequestType::clear_region:
        case RequestType::get_resync_work:
        case RequestType::set_region_sync:
        case RequestType::is_remote_recovering:
            return true;
        default:
            return false;
    }
}

TEST(LifeCycleTests, log_that_opens_its_device_lets_all_but_the_end_wait) {
    for (int type = first_type; type <= last_type; ++type) {
        const Action action = action_for(LifeState::opening, type_of(type));
        EXPECT_TRUE(action == Action::wait || action == Action::destroy || action == Action::answer) << type;
    }
}

TEST(LifeCycleTests, only_a_pending_log_makes_the_kernel_reconnect_and_only_before_io) {
    for (const LifeState state : all_states)
        for (int type = first_type; type <= last_type; ++type)
            EXPECT_EQ(action_for(state, type_of(type)) == Action::reconnect,
                      state == LifeState::pending && is_io(type_of(type)))
                << name_of(state) << " " << name_of(type_of(type));
}

TEST(LifeCycleTests, only_members_with_the_state_serve) {
    for (const LifeState state : all_states)
        for (int type = first_type; type <= last_type; ++type)
            if (action_for(state, type_of(type)) == Action::serve) {
                EXPECT_TRUE(state == LifeState::active || state == LifeState::presuspended) << name_of(state);
            }
}

TEST(LifeCycleTests, log_is_destroyed_in_any_state) {
    for (const LifeState state : all_states)
        EXPECT_EQ(action_for(state, RequestType::dtr), Action::destroy);
}

TEST(LifeCycleTests, live_log_answers_a_constructor_with_success) {
    for (const LifeState state : all_states)
        if (state != LifeState::opening) {
            EXPECT_EQ(action_for(state, RequestType::ctr), Action::construct);
        }
}

TEST(LifeCycleTests, resume_joins_only_who_is_no_member) {
    EXPECT_EQ(action_for(LifeState::pending, RequestType::resume), Action::join);
    EXPECT_EQ(action_for(LifeState::suspended, RequestType::resume), Action::join);
    EXPECT_EQ(action_for(LifeState::active, RequestType::resume), Action::answer);
    EXPECT_EQ(action_for(LifeState::presuspended, RequestType::resume), Action::resume_again);
    EXPECT_EQ(action_for(LifeState::leaving, RequestType::resume), Action::wait);
}

TEST(LifeCycleTests, io_after_postsuspend_is_answered_and_touches_nothing) {
    for (int type = first_type; type <= last_type; ++type)
        if (is_io(type_of(type))) {
            EXPECT_EQ(action_for(LifeState::leaving, type_of(type)), Action::answer);
            EXPECT_EQ(action_for(LifeState::suspended, type_of(type)), Action::answer);
        }
}

TEST(LifeCycleTests, work_is_not_served_past_presuspend) {
    EXPECT_EQ(action_for(LifeState::presuspended, RequestType::get_resync_work), Action::answer);
}

}  // namespace
}  // namespace cmirror::mirror_log
