// The rules of the supervisor: which logs exist, who answers for those that do not, whether a signal stops.
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>

#include "actors/supervisor/supervisor_core.hpp"
#include "tests/unit/supervisor_requests.hpp"

namespace cmirror {
namespace {

using test::ctr;
using test::request;
using test::uuid;
using Core = SupervisorCore;

template <class Kind>
std::vector<Kind> all(const Core::Effects& effects) {
    std::vector<Kind> found;
    for (const auto& effect : effects)
        if (const auto* kind = std::get_if<Kind>(&effect)) found.push_back(*kind);
    return found;
}

class SupervisorCoreTest : public testing::Test {
  protected:
    Core::Effects ask(KernelRequest made) {
        Core::Effects effects;
        core.on_request(std::move(made), TimePoint{}, effects);
        return effects;
    }
    /// The error of the only reply, or 1 if the request was not answered by the supervisor.
    int answer_to(KernelRequest made) {
        const auto replies = all<Core::Reply>(ask(std::move(made)));
        return replies.size() == 1 ? replies[0].reply.error : 1;
    }
    Core::Effects ended(InstanceId instance, bool destroyed) {
        Core::Effects effects;
        core.on_ended(instance, destroyed, effects);
        return effects;
    }
    Core::Effects down(InstanceId instance) {
        Core::Effects effects;
        core.on_down(instance, "reason", effects);
        return effects;
    }
    Core::Effects signal(int number) {
        Core::Effects effects;
        core.on_signal(number, effects);
        return effects;
    }
    InstanceId create(Luid luid, std::string_view name = "log") {
        return all<Core::Spawn>(ask(ctr(luid, name))).at(0).instance;
    }

    Core core{SupervisorLimits{.logs_max = 3, .destroyed_max = 2}};
};

TEST_F(SupervisorCoreTest, ctr_of_unknown_luid_spawns_a_log_before_it_forwards) {
    const auto effects = ask(ctr(1));
    ASSERT_EQ(effects.size(), 2U);
    EXPECT_EQ(std::get<Core::Spawn>(effects[0]).luid, 1U);
    EXPECT_EQ(std::get<Core::Forward>(effects[1]).request.type, RequestType::ctr);
}

TEST_F(SupervisorCoreTest, same_ctr_again_is_forwarded_to_the_same_log) {
    const auto instance = create(1);
    const auto effects = ask(ctr(1, "log", "100 clustered-core 8", true));
    ASSERT_EQ(effects.size(), 1U);
    EXPECT_EQ(std::get<Core::Forward>(effects[0]).instance, instance);
}

TEST_F(SupervisorCoreTest, ctr_with_other_arguments_replaces_the_log) {
    const auto old = create(1);
    const auto effects = ask(ctr(1, "log", "200 clustered-core 8"));
    ASSERT_EQ(all<Core::AbandonLog>(effects).size(), 1U);
    EXPECT_EQ(all<Core::AbandonLog>(effects)[0].instance, old);
    EXPECT_EQ(all<Core::RemoveRoute>(effects).size(), 1U);
    EXPECT_NE(all<Core::Spawn>(effects).at(0).instance, old);
}

TEST_F(SupervisorCoreTest, ctr_with_another_uuid_replaces_the_log) {
    create(1);
    EXPECT_EQ(all<Core::AbandonLog>(ask(ctr(1, "other"))).size(), 1U);
}

TEST_F(SupervisorCoreTest, end_of_a_replaced_log_leaves_the_new_route_alone) {
    const auto old = create(1);
    ask(ctr(1, "other"));
    EXPECT_TRUE(all<Core::RemoveRoute>(ended(old, false)).empty());
    EXPECT_TRUE(all<Core::RemoveRoute>(down(old)).empty());
    EXPECT_EQ(all<Core::Forward>(ask(request(RequestType::in_sync, 1, "other"))).size(), 1U);
}

TEST_F(SupervisorCoreTest, answers_for_unknown_logs) {
    const std::map<RequestType, int> expected{
        {RequestType::dtr, 0},
        {RequestType::presuspend, 0},
        {RequestType::postsuspend, 0},
        // Its failure would fail the request that waits behind it in the kernel.
        {RequestType::resume, 0},
        {RequestType::get_region_size, -ESRCH},
        {RequestType::is_clean, -ESRCH},
        {RequestType::in_sync, -ESRCH},
        {RequestType::flush, -ESRCH},
        {RequestType::mark_region, -ESRCH},
        {RequestType::clear_region, -ESRCH},
        {RequestType::get_resync_work, -ESRCH},
        {RequestType::set_region_sync, -ESRCH},
        {RequestType::get_sync_count, -ESRCH},
        {RequestType::status_info, -ESRCH},
        {RequestType::status_table, -ESRCH},
        {RequestType::is_remote_recovering, -ESRCH},
    };
    for (const auto& [type, error] : expected)
        EXPECT_EQ(answer_to(request(type, 9)), error) << name_of(type);
}

TEST_F(SupervisorCoreTest, answers_for_destroyed_logs) {
    ended(create(1), true);
    EXPECT_EQ(answer_to(request(RequestType::flush, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::clear_region, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::dtr, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::postsuspend, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::mark_region, 1)), -EINVAL);
    EXPECT_EQ(answer_to(request(RequestType::resume, 1)), 0);
    EXPECT_EQ(answer_to(request(RequestType::flush, 1, "other")), -ESRCH);
}

TEST_F(SupervisorCoreTest, late_flush_with_regions_promises_nothing) {
    ended(create(1), true);
    auto flush = request(RequestType::flush, 1);
    RegionList regions;
    regions.push_back(3);
    flush.payload = regions;
    EXPECT_EQ(answer_to(flush), -EINVAL);
}

TEST_F(SupervisorCoreTest, log_that_ended_without_dtr_is_unknown) {
    ended(create(1), false);
    EXPECT_EQ(answer_to(request(RequestType::flush, 1)), -ESRCH);
}

TEST_F(SupervisorCoreTest, ctr_forgets_that_the_luid_was_destroyed) {
    ended(create(1), true);
    const auto again = create(1);
    down(again);
    EXPECT_EQ(answer_to(request(RequestType::flush, 1)), -ESRCH);
}

TEST_F(SupervisorCoreTest, only_the_newest_destroyed_luids_are_remembered) {
    for (Luid luid = 1; luid <= 3; ++luid) {
        const auto instance = create(luid);
        ended(instance, true);
        down(instance);
    }
    EXPECT_EQ(answer_to(request(RequestType::clear_region, 1)), -ESRCH);
    EXPECT_EQ(answer_to(request(RequestType::clear_region, 2)), 0);
    EXPECT_EQ(answer_to(request(RequestType::clear_region, 3)), 0);
}

TEST_F(SupervisorCoreTest, log_that_dies_is_an_error_and_loses_its_route) {
    const auto effects = down(create(1));
    EXPECT_EQ(all<LogLine>(effects).at(0).level, LogLevel::error);
    EXPECT_EQ(all<Core::RemoveRoute>(effects).size(), 1U);
    EXPECT_EQ(all<Core::Forget>(effects).size(), 1U);
    EXPECT_EQ(answer_to(request(RequestType::in_sync, 1)), -ESRCH);
}

TEST_F(SupervisorCoreTest, log_that_ended_goes_silently) {
    const auto instance = create(1);
    ended(instance, true);
    const auto effects = down(instance);
    ASSERT_EQ(effects.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<Core::Forget>(effects[0]));
}

TEST_F(SupervisorCoreTest, more_logs_than_allowed_are_refused) {
    create(1);
    create(2);
    create(3);
    const auto effects = ask(ctr(4));
    EXPECT_EQ(all<Core::Reply>(effects).at(0).reply.error, -ENOMEM);
    EXPECT_EQ(all<LogLine>(effects).at(0).level, LogLevel::error);
    EXPECT_TRUE(all<Core::Spawn>(effects).empty());
}

TEST_F(SupervisorCoreTest, stop_signals_stop_only_without_logs) {
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP})
        EXPECT_EQ(all<Core::Stop>(signal(number)).size(), 1U);
    const auto instance = create(1);
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) {
        const auto effects = signal(number);
        EXPECT_TRUE(all<Core::Stop>(effects).empty());
        EXPECT_EQ(all<LogLine>(effects).at(0).level, LogLevel::error);
        EXPECT_NE(all<LogLine>(effects).at(0).text.find("1 log is active: log (luid 0x1)"), std::string::npos);
    }
    ended(instance, true);
    EXPECT_EQ(all<Core::Stop>(signal(SIGINT)).size(), 1U);
}

TEST_F(SupervisorCoreTest, usr1_reports) {
    create(1);
    const auto reports = all<Core::Report>(signal(SIGUSR1));
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_EQ(reports[0].own.fields.at(0), (std::pair<std::string, std::string>("logs", "1")));
}

}  // namespace
}  // namespace cmirror
