// What the log's own parts cost, at two sizes: nothing that a request does may grow with the number of regions.
#include <benchmark/benchmark.h>

#include "actors/mirror_log/log_state.hpp"
#include "actors/mirror_log/mirror_log_core.hpp"
#include "actors/mirror_log/state_transfer.hpp"
#include "messages/wire_cluster.hpp"
#include "messages/wire_kernel.hpp"

namespace cmirror::mirror_log {
namespace {

constexpr std::int64_t small_count = 4000;
constexpr std::int64_t large_count = 40'000'000;
constexpr MemberId node_1{1, 1};
constexpr MemberId node_2{2, 2};
constexpr Luid luid = 0x1000;
constexpr std::uint64_t stride = 7919;

/// The state of a log of two members, all in sync, and what the first of them sends.
struct TwoMembers {
    explicit TwoMembers(std::int64_t regions) : state{static_cast<std::uint64_t>(regions)} {
        state.start(true);
        for (const MemberId member : {node_1, node_2}) {
            state.joined(member);
            state.hello(member, Hello{member.node, {}, luid, 1024, state.region_count(), false, {}}, changes);
            state.became_valid(member);
        }
    }

    /// As each member does when a message is delivered.
    void deliver(std::vector<Op> ops) {
        const auto count = ops.size();
        state.apply(node_1, {1, seq, luid, std::move(ops)}, changes);
        seq += count;
        changes.clear();
    }
    RegionNumber next_region() { return region = (region + stride) % state.region_count(); }

    LogState state;
    StateChanges changes;
    std::uint64_t seq = 0;
    RegionNumber region = 0;
};

void region_map_finds_the_only_clear_bit(benchmark::State& bench) {
    RegionMap map{static_cast<std::uint64_t>(bench.range(0)), true};
    map.reset(map.size() - 1);
    for (auto _ : bench)
        benchmark::DoNotOptimize(map.next_clear(0));
}
BENCHMARK(region_map_finds_the_only_clear_bit)->Arg(small_count)->Arg(large_count);

void region_map_is_loaded(benchmark::State& bench) {
    const RegionMap map{static_cast<std::uint64_t>(bench.range(0)), true};
    RegionMap loaded{map.size()};
    for (auto _ : bench)
        loaded.assign_bytes(std::as_bytes(map.raw()));
    benchmark::DoNotOptimize(loaded);
}
BENCHMARK(region_map_is_loaded)->Arg(small_count)->Arg(large_count)->Unit(benchmark::kMicrosecond);

void state_marks_and_clears(benchmark::State& bench) {
    TwoMembers log{bench.range(0)};
    for (auto _ : bench) {
        const auto region = log.next_region();
        log.deliver({{OpKind::mark, region, 1}, {OpKind::clear, region, 1}});
    }
    benchmark::DoNotOptimize(log.state.take_changed_blocks());
}
BENCHMARK(state_marks_and_clears)->Arg(small_count)->Arg(large_count);

/// Work that is asked for is granted at the end of the message that asks.
void state_hands_out_and_takes_back(benchmark::State& bench) {
    TwoMembers log{bench.range(0)};
    for (auto _ : bench) {
        const auto region = log.next_region();
        log.deliver({{OpKind::failed, region, 1}, {OpKind::resumed, 0, 1}, {OpKind::want_work, 0, 1}});
        log.deliver({{OpKind::recovered, region, 1}});
    }
    if (log.state.sync_count() != log.state.region_count()) bench.SkipWithError("regions are left out of sync");
    benchmark::DoNotOptimize(log.state.take_changed_blocks());
}
BENCHMARK(state_hands_out_and_takes_back)->Arg(small_count)->Arg(large_count);

/// What a joiner costs its server, all regions in sync.
void state_is_saved_and_sent(benchmark::State& bench) {
    TwoMembers log{bench.range(0)};
    std::size_t bytes = 0;
    for (auto _ : bench) {
        StateSender sender{1};
        Effects effects;
        log.state.freeze();
        sender.start(log.state, effects);
        for (std::size_t next = 0; !sender.done(); ++next) {
            const auto& chunk = std::get<StateChunk>(std::get<SendEffect>(effects.at(next)).message);
            bytes += chunk.compressed.size();
            sender.delivered(StateChunk{chunk}, log.state, effects);
        }
    }
    bench.counters["bytes sent"] = static_cast<double>(bytes) / static_cast<double>(bench.iterations());
}
BENCHMARK(state_is_saved_and_sent)->Arg(small_count)->Arg(large_count)->Unit(benchmark::kMicrosecond);

void kernel_request_is_read_and_answered(benchmark::State& bench) {
    std::vector<std::byte> frame(kernel_frame_size_max);
    std::vector<std::byte> reply(kernel_frame_size_max);
    frame.resize(
        pack_kernel_request({7, RequestType::in_sync, 2, 0x1000, *Uuid::from_text("bench"), RegionNumber{5}}, frame));
    for (auto _ : bench) {
        const auto request = unpack_kernel_request(frame);
        benchmark::DoNotOptimize(request);
        benchmark::DoNotOptimize(pack_kernel_reply({7, RequestType::in_sync, 0x1000, 0, std::uint64_t{1}}, reply));
    }
}
BENCHMARK(kernel_request_is_read_and_answered);

void ops_go_over_the_wire(benchmark::State& bench) {
    const Uuid uuid = *Uuid::from_text("bench");
    Ops ops{1, 0, 0x1000, {}};
    for (RegionNumber i = 0; i < static_cast<std::uint64_t>(bench.range(0)); ++i)
        ops.ops.push_back({OpKind::mark, i * stride, 1});
    for (auto _ : bench)
        benchmark::DoNotOptimize(unpack_cluster_message(pack_cluster_message(ops, uuid), uuid));
}
BENCHMARK(ops_go_over_the_wire)->Arg(1)->Arg(64);

}  // namespace
}  // namespace cmirror::mirror_log
