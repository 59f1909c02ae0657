// A snapshot of a node with one mirror in trouble, for tests of what is made of it.
#pragma once

#include "messages/status_snapshot.hpp"

namespace cmirror::test {

inline LogStatus log_example() {
    LogStatus log;
    log.uuid = Uuid::from_text("CMIRROR-data").value();
    log.luid = 0xffff8d775af61000;
    log.state = "active";
    log.log_type = "clustered-disk";
    log.region_size_sectors = 1024;
    log.region_count = 70;
    log.sync_count = 35;
    log.dirty_count = 2;
    log.in_sync_hint = 12;
    log.quorate = true;
    log.sync_rate = 12.5;
    log.recovering = {{{1, 0xff01}, 12, 3}};
    log.marks = {{{1, 0xff01}, 2, {4, 9}, true, false}, {{3, 0xaa}, 5, {1, 2}, false, false}};
    log.members = {{{1, 100}, true, true, false, "1.2.3"}, {{2, 200}, false, false, true, ""}};
    log.device = DeviceStatus{"7:0", false, "", 5, 20480};
    log.pending = {{17, "FLUSH", 3240}};
    log.requests = 100;
    log.bad_requests = 1;
    log.rounds = 8;
    log.marked_ahead = 16;
    log.region_map = "ccddrroooof";
    for (int i = 0; i < 8; ++i)
        log.round_time.add(std::chrono::microseconds(400));
    log.recovered_here = 3;
    log.state_ordinal = 90;
    log.state_digest = 0xfedcba9876543210;
    return log;
}

/// As unpack_status() gives it.
inline StatusSnapshot snapshot_example() {
    StatusSnapshot snapshot;
    snapshot.daemon = {"1.2.3", 1};
    snapshot.actors = {ActorStatus{"cluster", {{"connected", "YES"}, {"quorum", "YES"}, {"nodes", "3"}}}};
    LatencyHistogram flushes;
    flushes.add(std::chrono::microseconds(900));
    flushes.add(std::chrono::milliseconds(2));
    snapshot.actors.emplace_back(ActorStatus{"kernel", {{"requests", "100"}}, {{"FLUSH", flushes}}});
    snapshot.logs.emplace_back(log_example());
    return snapshot;
}

/// The same with a mirror to which nothing happens.
inline StatusSnapshot healthy_example() {
    auto snapshot = snapshot_example();
    auto& log = std::get<LogStatus>(snapshot.logs[0]);
    log.sync_count = log.region_count;
    log.sync_rate = 0;
    log.recovering.clear();
    log.marks.clear();
    log.pending.clear();
    log.members = {{{1, 100}, true, true, false, "1.2.3"},
                   {{2, 200}, true, false, false, "1.2.3"},
                   {{3, 300}, true, false, false, "1.2.3"}};
    return snapshot;
}

}  // namespace cmirror::test
