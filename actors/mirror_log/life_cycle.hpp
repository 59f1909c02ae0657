// The life of one instance of a log: what each request of the kernel means in each state (spec/kernel.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "messages/kernel_request.hpp"

namespace cmirror::mirror_log {

enum class LifeState : std::uint8_t {
    opening,       ///< constructed, the log device is being opened
    pending,       ///< constructed, not resumed
    joining,       ///< resumed, waits for the group and its state
    active,        ///< serves
    presuspended,  ///< recovery has stopped, queued writes drain
    leaving,       ///< all I/O has drained, the group is being left
    suspended,     ///< not a member
};
inline constexpr std::size_t life_state_count = 7;

constexpr std::string_view name_of(LifeState state) {
    constexpr std::array<std::string_view, life_state_count> names{"opening",      "pending", "joining",  "active",
                                                                   "presuspended", "leaving", "suspended"};
    return names[static_cast<std::size_t>(state)];
}

enum class Action : std::uint8_t {
    wait,           ///< kept until the state changes, then looked up again
    answer,         ///< success at once, with what is known without the group
    serve,          ///< the log's own work
    construct,      ///< answer a CTR for a log that is alive
    join,           ///< a real resume: become a member
    resume_again,   ///< a resume whose suspend was never completed
    stop_recovery,  ///< PRESUSPEND
    leave,          ///< POSTSUSPEND
    destroy,        ///< DTR
    reconnect,      ///< -ESRCH: the kernel creates and resumes the log again
};

/// What to do with a request of `type` in `state`.
constexpr Action action_for(LifeState state, RequestType type) {
    using enum Action;
    struct Row {
        RequestType type;
        std::array<Action, life_state_count> actions;
    };
    // clang-format off
    constexpr std::array<Row, 17> table{{
        //                                     opening  pending    joining  active         presuspended   leaving suspended
        {RequestType::ctr,                  {{wait,    construct, construct, construct,    construct,     construct, construct}}},
        {RequestType::dtr,                  {{destroy, destroy,   destroy, destroy,       destroy,       destroy, destroy}}},
        {RequestType::presuspend,           {{answer,  answer,    answer,  stop_recovery, answer,        answer,  answer}}},
        {RequestType::postsuspend,          {{answer,  answer,    leave,   leave,         leave,         wait,    answer}}},
        {RequestType::resume,               {{wait,    join,      wait,    answer,        resume_again,  wait,    join}}},
        {RequestType::get_region_size,      {{wait,    answer,    answer,  answer,        answer,        answer,  answer}}},
        {RequestType::is_clean,             {{wait,    reconnect, wait,    serve,         serve,         answer,  answer}}},
        {RequestType::in_sync,              {{wait,    reconnect, wait,    serve,         serve,         answer,  answer}}},
        {RequestType::flush,                {{wait,    reconnect, wait,    serve,         serve,         answer,  answer}}},
        {RequestType::mark_region,          {{wait,    reconnect, wait,    serve,         serve,         answer,  answer}}},
        {RequestType::clear_region,         {{wait,    reconnect, wait,    serve,         serve,         answer,  answer}}},
        {RequestType::get_resync_work,      {{wait,    reconnect, wait,    serve,         answer,        answer,  answer}}},
        {RequestType::set_region_sync,      {{wait,    reconnect, wait,    serve,         serve,         answer,  answer}}},
        {RequestType::get_sync_count,       {{wait,    answer,    answer,  serve,         serve,         answer,  answer}}},
        {RequestType::status_info,          {{wait,    answer,    answer,  answer,        answer,        answer,  answer}}},
        {RequestType::status_table,         {{wait,    answer,    answer,  answer,        answer,        answer,  answer}}},
        {RequestType::is_remote_recovering, {{wait,    reconnect, wait,    serve,         serve,         answer,  answer}}},
    }};
    // clang-format on
    for (const Row& row : table)
        if (row.type == type) return row.actions[static_cast<std::size_t>(state)];
    return reconnect;
}

}  // namespace cmirror::mirror_log
