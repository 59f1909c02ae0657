// What an instance that does not serve answers.
#include <algorithm>
#include <utility>

#include "actors/mirror_log/mirror_log_core.hpp"

namespace cmirror::mirror_log {

// Requests of an instance that does not serve: what is known without the group (design.md, rule 11).
void MirrorLogCore::answer_idle(const KernelRequest& request, Effects& effects) {
    switch (request.type) {
        case RequestType::get_region_size:
            return reply(request, args_.region_size_sectors, effects);
        case RequestType::get_sync_count:
            return reply(request, idle_sync_count(), effects);
        case RequestType::presuspend:
            // The group hears of it when it is joined.
            if (life_ == LifeState::joining || aside_) past_presuspend_ = true;
            return reply(request, {}, effects);
        case RequestType::postsuspend:
            if (aside_ || marks_unknown_) {
                aside_ = false;
                drained();
                for (const KernelRequest& waiting : std::exchange(waiting_, {}))
                    answer_idle(waiting, effects);
            }
            return reply(request, {}, effects);
        case RequestType::clear_region:
            // It is not believed behind a failed FLUSH (mirror_log_requests.cpp).
            if (aside_ && log_failed_) return reply(request, {}, effects);
            // The end of a write that came late: the kernel has cached nothing.
            for (const RegionNumber region : std::get<RegionList>(request.payload)) {
                nosync_.erase(region);
                if (my_marks_.erase(region) + left_marked_.erase(region) > 0) keeper_.cleared(region);
            }
            return reply(request, {}, effects);
        case RequestType::status_info:
            return reply(request, status_info(), effects);
        case RequestType::status_table:
            return reply(request, status_table(), effects);
        case RequestType::is_clean:
            return reply(request, std::uint64_t{0}, effects);
        case RequestType::in_sync:
            return reply(request, std::uint64_t{1}, effects);
        case RequestType::get_resync_work:
        case RequestType::is_remote_recovering:
            return reply(request, FlagAndRegion{0, 0}, effects);
        default:
            return reply(request, {}, effects);
    }
}

// A count of all regions sets the kernel's hint to the end. While the group is being joined nothing is known that
// would allow it.
std::uint64_t MirrorLogCore::idle_sync_count() const {
    const bool nosync = args_.sync == ConstructorArguments::Sync::nosync;
    const std::uint64_t count = state_ ? state_->sync_count() : nosync ? args_.region_count : 0;
    const bool may_raise_hint = life_ == LifeState::joining && hint_.highest() < args_.region_count;
    return may_raise_hint ? std::min(count, args_.region_count - 1) : count;
}

}  // namespace cmirror::mirror_log
