#include "tests/sim/dirty_log.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

namespace {

constexpr Instant reconnect_every = 2s;
constexpr Instant lone_clears_wait = 3s;
constexpr std::size_t regions_per_request = 32;
constexpr std::size_t integer_room = 8;
constexpr std::size_t pair_room = 16;
constexpr std::size_t name_room = 128;

}  // namespace

DirtyLog::DirtyLog(Kernel& kernel, LogTable table, Luid luid)
    : kernel_(kernel), table_(std::move(table)), luid_(luid) {}

KernelRequest DirtyLog::make(RequestType type, RequestPayload payload) const {
    return {.type = type, .version = 2, .luid = luid_, .uuid = table_.uuid, .payload = std::move(payload)};
}

Co<Answer> DirtyLog::once(RequestType type) {
    const Answer answer = co_await kernel_.consult(make(type), 0);
    if (answer.unheard) kernel_.world().count("path: suspend, resume or DTR is lost");
    co_return answer;
}

Co<int> DirtyLog::construct() {
    const KernelRequest request = make(RequestType::ctr, ConstructorText{table_.arguments, false});
    const Answer answer = co_await kernel_.consult(request, name_room);
    if (answer.error != 0) co_return answer.error;
    const Answer size = co_await this->request(RequestType::get_region_size, {}, integer_room);
    co_return size.error;
}

Co<void> DirtyLog::destroy() {
    if (flush_planned_) {
        flush_planned_ = false;
        (void)co_await request(RequestType::flush, RegionList{}, 0);
    }
    destroyed_ = true;
    (void)co_await once(RequestType::dtr);
}

Co<void> DirtyLog::presuspend() {
    (void)co_await once(RequestType::presuspend);
}

Co<void> DirtyLog::postsuspend() {
    (void)co_await once(RequestType::postsuspend);
}

Co<void> DirtyLog::resume() {
    hint_ = 0;
    (void)co_await once(RequestType::resume);
}

Co<Answer> DirtyLog::request(RequestType type, RequestPayload payload, std::size_t room) {
    while (true) {
        const Answer answer = co_await kernel_.consult(make(type, payload), room);
        if (answer.error != -ESRCH) co_return answer;
        // The kernel takes the size of such a reply for the room that it has from now on.
        if (!answer.unheard) room = answer.size;
        while (true) {
            co_await kernel_.sleep(reconnect_every);
            const KernelRequest again = make(RequestType::ctr, ConstructorText{table_.arguments, true});
            const Answer created = co_await kernel_.consult(again, 0);
            if (created.error == 0) break;
        }
        kernel_.world().count("path: reconnect");
        const Answer resumed = co_await kernel_.consult(make(RequestType::resume), 0, true);
        if (resumed.error != 0) co_return Answer{.error = -ESRCH};
    }
}

Co<bool> DirtyLog::in_sync(RegionNumber region) {
    const Answer answer = co_await request(RequestType::in_sync, region, integer_room);
    co_return answer.error == 0 && answer.first == 1;
}

Co<bool> DirtyLog::is_remote_recovering(RegionNumber region) {
    if (region < hint_) co_return false;
    if (!kernel_.may_ask_recovering()) co_return true;
    const Answer answer = co_await request(RequestType::is_remote_recovering, region, pair_room);
    if (answer.error != 0) co_return true;
    hint_ = answer.second;
    co_return answer.first != 0;
}

Co<std::optional<RegionNumber>> DirtyLog::get_resync_work() {
    if (hint_ >= table_.regions) co_return std::nullopt;
    const Answer answer = co_await request(RequestType::get_resync_work, {}, pair_room);
    if (answer.error != 0 || answer.first != 1) co_return std::nullopt;
    co_return answer.second;
}

Co<void> DirtyLog::set_region_sync(RegionNumber region, bool in_sync) {
    (void)co_await request(RequestType::set_region_sync, RegionSync{region, in_sync}, 0);
}

Co<std::uint64_t> DirtyLog::get_sync_count() {
    const Answer answer = co_await request(RequestType::get_sync_count, {}, integer_room);
    if (answer.error != 0) co_return 0;
    if (answer.first >= table_.regions) hint_ = table_.regions;
    co_return answer.first;
}

Co<int> DirtyLog::send_regions(RequestType type, std::vector<RegionNumber> regions) {
    for (std::size_t i = 0; i < regions.size(); i += regions_per_request) {
        RegionList list;
        for (std::size_t k = i; k < std::min(regions.size(), i + regions_per_request); ++k)
            list.push_back(regions[k]);
        const Answer answer = co_await request(type, list, 0);
        if (answer.error != 0) co_return answer.error;
    }
    co_return 0;
}

Co<int> DirtyLog::flush() {
    const std::vector<RegionNumber> marks = std::exchange(marks_, {});
    const std::vector<RegionNumber> clears = std::exchange(clears_, {});
    if (marks.empty() && clears.empty()) co_return 0;
    if (const int error = co_await send_regions(RequestType::clear_region, clears)) co_return error;
    if (!table_.integrated_flush) {
        if (const int error = co_await send_regions(RequestType::mark_region, marks)) co_return error;
        const Answer answer = co_await request(RequestType::flush, RegionList{}, 0);
        co_return answer.error;
    }
    if (marks.empty()) {
        if (!flush_planned_) {
            flush_planned_ = true;
            kernel_.start(flush_later());
        }
        co_return 0;
    }
    flush_planned_ = false;
    co_return co_await send_regions(RequestType::flush, marks);
}

Co<void> DirtyLog::flush_later() {
    co_await kernel_.sleep(lone_clears_wait);
    if (!flush_planned_ || destroyed_) co_return;
    flush_planned_ = false;
    (void)co_await request(RequestType::flush, RegionList{}, 0);
}

}  // namespace cmirror::sim
