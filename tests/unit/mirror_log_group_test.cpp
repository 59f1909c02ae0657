// Several nodes with one log: the same events give the same state, whoever joins, leaves or dies.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/group_fixture.hpp"

namespace cmirror::mirror_log {
namespace {

using namespace std::chrono_literals;

TEST_F(Group, joiner_gets_the_state_of_the_first) {
    start({1});
    recover_all(1);
    call(1, R::flush, list({3, 9}));
    start({2});
    EXPECT_TRUE(node(2).core->valid());
    EXPECT_EQ(integer(2, R::get_sync_count), 70U);
    EXPECT_EQ(integer(2, R::is_clean, RegionNumber{9}), 0U);
    expect_equal({1, 2});
}

TEST_F(Group, several_join_at_once_and_are_equal) {
    start({1});
    recover_all(1);
    for (const NodeId id : {2U, 3U, 4U}) {
        cluster->add(id);
        cluster->ask(id, R::ctr, ConstructorText{core_log, false});
        cluster->ask(id, R::resume);
    }
    cluster->settle();
    for (const NodeId id : {2U, 3U, 4U})
        EXPECT_TRUE(node(id).core->valid());
    expect_equal({1, 2, 3, 4});
}

TEST_F(Group, members_know_each_others_program_versions) {
    start({1, 2});
    cluster->add(3);
    cluster->call(3, R::ctr, ConstructorText{core_log, false});
    cluster->call(3, R::resume);
    for (const NodeId id : {1U, 2U, 3U})
        for (const auto& member : node(id).core->status().members)
            EXPECT_EQ(member.version, "1.0." + std::to_string(member.id.node)) << "as node " << id << " has it";
}

TEST_F(Group, lowest_valid_member_is_the_server_and_not_a_joiner) {
    start({2});
    cluster->add(1);
    cluster->ask(1, R::ctr, ConstructorText{core_log, false});
    cluster->ask(1, R::resume);
    while (cluster->step(2)) {
        if (node(1).core->valid()) break;
        EXPECT_EQ(state(2).server()->id.node, 2U);
    }
    cluster->settle();
    EXPECT_EQ(state(2).server()->id.node, 1U);
}

TEST_F(Group, flush_is_answered_when_the_server_has_confirmed_the_marks) {
    start({1, 2, 3});
    recover_all(1);
    const auto flush = cluster->ask(2, R::flush, list({5}));
    cluster->step(2);
    EXPECT_FALSE(answered(2, flush));
    cluster->step(1);
    EXPECT_FALSE(answered(2, flush));
    cluster->step(2);
    EXPECT_TRUE(answered(2, flush));
}

TEST_F(Group, servers_own_marks_are_confirmed_by_the_next_lowest) {
    start({1, 2, 3});
    recover_all(1);
    const auto flush = cluster->ask(1, R::flush, list({5}));
    cluster->step(1);
    cluster->step(3);
    EXPECT_FALSE(answered(1, flush));
    cluster->step(2);
    cluster->step(1);
    EXPECT_TRUE(answered(1, flush));
}

TEST_F(Group, local_questions_cost_no_message) {
    start({1, 2});
    recover_all(1);
    const auto sent = node(2).sent;
    call(2, R::in_sync, RegionNumber{1});
    call(2, R::is_clean, RegionNumber{1});
    call(2, R::is_remote_recovering, RegionNumber{1});
    call(2, R::get_sync_count);
    call(2, R::status_info);
    call(2, R::flush);
    EXPECT_EQ(node(2).sent, sent);
}

TEST_F(Group, dead_daemons_marks_and_grants_stay) {
    start({1, 2, 3});
    const auto work = pair(3, R::get_resync_work);
    call(3, R::flush, list({20}));
    cluster->kill(3);
    cluster->settle();
    EXPECT_TRUE(state(1).marks().marked_by(owner(3), 20));
    EXPECT_TRUE(state(1).grants().granted_to(work.region));
    expect_equal({1, 2});
}

TEST_F(Group, absent_writers_regions_count_as_out_of_sync_and_are_not_handed_out) {
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({20}));
    cluster->crash(2);
    cluster->settle();
    EXPECT_EQ(integer(1, R::get_sync_count), 69U);
    EXPECT_EQ(pair(1, R::is_remote_recovering, RegionNumber{30}).region, 20U);
    EXPECT_EQ(pair(1, R::get_resync_work).flag, 0);
}

TEST_F(Group, proof_that_a_node_is_gone_frees_its_regions) {
    start({1, 2, 3});
    recover_all(1);
    call(2, R::flush, list({20}));
    cluster->crash(2);
    cluster->settle();
    Effects effects;
    node(1).core->node_gone(2, cluster->now, effects);
    for (Effect& effect : effects)
        if (auto* send = std::get_if<SendEffect>(&effect))
            for (const NodeId id : {1U, 3U})
                node(id).inbox.emplace_back(std::pair(node(1).member(), send->message));
    cluster->settle();
    EXPECT_EQ(pair(3, R::get_resync_work), (FlagAndRegion{1, 20}));
    EXPECT_TRUE(state(1).fell_out_later(20));
    expect_equal({1, 3});
}

TEST_F(Group, rejoin_with_a_new_boot_proves_that_the_old_node_is_gone) {
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({20}));
    cluster->crash(2);
    cluster->settle();
    cluster->restart(2, true);
    EXPECT_FALSE(state(1).sync().test(20));
    EXPECT_FALSE(state(1).marks().marked(20));
    expect_equal({1, 2});
}

TEST_F(Group, rejoin_in_the_same_boot_takes_the_marks_over) {
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({20}));
    cluster->kill(2);
    cluster->settle();
    cluster->restart(2, false);
    EXPECT_TRUE(state(1).sync().test(20));
    EXPECT_TRUE(state(1).marks().marked_by(owner(2), 20));
    EXPECT_TRUE(state(1).present(owner(2)));
    call(2, R::clear_region, list({20}));
    cluster->advance(6s);
    EXPECT_FALSE(state(1).marks().of(owner(2)).contains(20));
    expect_equal({1, 2});
}

TEST_F(Group, servers_death_does_not_leave_a_flush_unanswered) {
    start({1, 2, 3});
    recover_all(1);
    const auto flush = cluster->ask(3, R::flush, list({5}));
    cluster->crash(1);
    cluster->settle();
    EXPECT_TRUE(answered(3, flush));
    EXPECT_EQ(state(3).server()->id.node, 2U);
    expect_equal({2, 3});
}

TEST_F(Group, servers_death_between_mark_and_confirmation_is_made_up_for) {
    start({1, 2, 3});
    recover_all(1);
    const auto flush = cluster->ask(3, R::flush, list({5}));
    cluster->step(3);
    cluster->step(2);
    cluster->crash(1);
    cluster->settle();
    EXPECT_TRUE(answered(3, flush));
}

TEST_F(Group, two_nodes_lost_in_one_change_leave_the_third_going) {
    start({1, 2, 3});
    recover_all(1);
    call(2, R::flush, list({20}));
    const auto flush = cluster->ask(3, R::flush, list({5}));
    cluster->lose({1, 2}, ChangeReason::node_down);
    cluster->settle();
    EXPECT_TRUE(answered(3, flush));
    EXPECT_EQ(integer(3, R::get_sync_count), 69U);
}

TEST_F(Group, another_sends_the_state_when_the_sender_goes_away) {
    start({1, 2});
    recover_all(1);
    cluster->add(3);
    cluster->ask(3, R::ctr, ConstructorText{core_log, false});
    cluster->ask(3, R::resume);
    // The server has begun, and dies before its first chunk is out.
    while (node(1).core && !node(3).core->valid()) {
        cluster->step(2);
        cluster->step(3);
        if (!cluster->step(1) || node(1).sent % 2 == 0) break;
    }
    cluster->crash(1);
    cluster->settle();
    EXPECT_TRUE(node(3).core->valid());
    expect_equal({2, 3});
}

TEST_F(Group, last_valid_members_death_during_a_transfer_lets_the_oldest_joiner_start_over) {
    use("71680 clustered-core 1024 nosync");
    start({1});
    EXPECT_TRUE(state(1).sync().all());
    for (const NodeId id : {3U, 2U}) {
        cluster->add(id);
        cluster->ask(id, R::ctr, ConstructorText{"71680 clustered-core 1024 nosync", false});
        cluster->ask(id, R::resume);
    }
    cluster->crash(1);
    cluster->settle();
    EXPECT_TRUE(node(2).core->valid());
    EXPECT_TRUE(node(3).core->valid());
    EXPECT_EQ(integer(2, R::get_sync_count), 0U) << "nosync speaks of the first start alone";
    expect_equal({2, 3});
}

TEST_F(Group, joiner_sees_what_happens_while_its_state_is_on_the_way) {
    start({1, 2});
    recover_all(1);
    cluster->add(3);
    cluster->ask(3, R::ctr, ConstructorText{core_log, false});
    cluster->ask(3, R::resume);
    for (RegionNumber region = 0; region < 20; ++region) {
        cluster->ask(2, R::flush, list({3 * region}));
        cluster->step(1);
        cluster->step(2);
        cluster->step(3);
    }
    cluster->settle();
    expect_equal({1, 2, 3});
    EXPECT_EQ(state(3).marks().count(), 20U);
}

TEST_F(Group, lost_message_is_sent_again_and_all_stay_equal) {
    start({1, 2});
    recover_all(1);
    cluster->drop_next[2] = 1;
    const auto flush = cluster->ask(2, R::flush, list({5}));
    cluster->settle();
    const auto second = cluster->ask(2, R::flush, list({6}));
    cluster->advance(3s);
    EXPECT_TRUE(answered(2, flush));
    EXPECT_TRUE(answered(2, second));
    expect_equal({1, 2});
}

TEST_F(Group, leaving_member_leaves_no_mark) {
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({5}));
    call(2, R::clear_region, list({5}));
    call(2, R::presuspend);
    call(2, R::postsuspend);
    cluster->settle();
    EXPECT_EQ(state(1).marks().count(), 0U);
    EXPECT_TRUE(state(1).clean().all());
}

TEST_F(Group, mark_that_a_leaving_kernel_did_not_clear_becomes_out_of_sync) {
    start({1, 2});
    recover_all(1);
    call(2, R::flush, list({5}));
    call(2, R::presuspend);
    call(2, R::postsuspend);
    cluster->settle();
    EXPECT_FALSE(state(1).sync().test(5));
    EXPECT_EQ(pair(1, R::get_resync_work), (FlagAndRegion{1, 5}));
}

TEST_F(Group, suspend_and_resume_of_one_node_keeps_the_states_equal) {
    start({1, 2});
    recover_all(1);
    for (int i = 0; i < 10; ++i) {
        call(1, R::presuspend);
        call(1, R::postsuspend);
        call(2, R::flush, list({RegionNumber(i)}));
        call(1, R::resume);
        call(2, R::clear_region, list({RegionNumber(i)}));
        call(1, R::flush, list({RegionNumber(i)}));
        call(1, R::clear_region, list({RegionNumber(i)}));
    }
    cluster->advance(20s);
    expect_equal({1, 2});
    EXPECT_TRUE(state(1).clean().all());
}

TEST_F(Group, minority_makes_nothing_durable_and_goes_on_when_it_is_back) {
    start({1, 2});
    recover_all(1);
    cluster->set_quorum(2, false);
    const auto flush = cluster->ask(2, R::flush, list({5}));
    cluster->advance(1s);
    EXPECT_FALSE(answered(2, flush));
    cluster->set_quorum(2, true);
    cluster->advance(3s);
    EXPECT_TRUE(answered(2, flush));
}

TEST_F(Group, confirmer_without_quorum_confirms_nothing) {
    start({1, 2});
    recover_all(1);
    cluster->set_quorum(1, false);
    const auto flush = cluster->ask(2, R::flush, list({5}));
    cluster->advance(1s);
    EXPECT_FALSE(answered(2, flush));
}

TEST_F(Group, digests_are_compared_and_equal) {
    start({1, 2});
    recover_all(1);
    cluster->advance(200s);
    for (const NodeId id : {1U, 2U})
        for (const std::string& line : node(id).lines)
            EXPECT_EQ(line.find("differs"), std::string::npos);
}

}  // namespace
}  // namespace cmirror::mirror_log
