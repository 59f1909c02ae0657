// What requests in the field's words do to the state, and what they are answered (spec/cluster-v5.md, "Who says what").
// Requests of our own members change the legacy members' copy alone: their ops are what counts here.
#include <algorithm>
#include <cerrno>

#include "actors/mirror_log/log_state.hpp"
#include "messages/legacy_frame.hpp"

namespace cmirror::mirror_log {

namespace {

/// Has the answer to it a payload, or is it told by success alone?
constexpr bool is_answered(RequestType type) {
    switch (type) {
        case RequestType::is_clean:
        case RequestType::flush:
        case RequestType::mark_region:
        case RequestType::get_resync_work:
        case RequestType::set_region_sync:
        case RequestType::status_info:
        case RequestType::is_remote_recovering:
            return true;
        default:
            return false;
    }
}

/// How many of the integers are region numbers, from the first on.
std::size_t region_fields(RequestType type, std::size_t integers) {
    switch (type) {
        case RequestType::mark_region:
        case RequestType::clear_region:
        case RequestType::flush:
            return integers;
        case RequestType::is_clean:
        case RequestType::is_remote_recovering:
        case RequestType::set_region_sync:
            return 1;
        default:
            return 0;
    }
}

}  // namespace

void LogState::legacy_request(const Member& sender, const LegacyFrame& frame, StateChanges& changes) {
    const std::optional<RequestType> type = legacy_request_type(frame);
    if (!type || *type == RequestType::resume) return;
    // Its kernel asks, so it has a state, whoever gave it to it.
    if (sender.legacy) legacy_became_valid(*find(sender.id));
    const Owner owner = sender.owner();
    if (*type == RequestType::postsuspend) {
        legacy_.copy->gone(sender.id.node);
        if (!sender.legacy) return;
        if (!marks_.of(owner).empty()) changes.left_marked.push_back(owner);
        return end_owner(owner);
    }
    LegacyRequest answer{sender.id, sender.next_seq, {}};
    answer.response = {sender.id.node, 0, frame.version, 0, frame.seq, frame.type | legacy_response_flag, {}};
    const std::vector<std::uint64_t> integers = legacy_integers(frame);
    const std::size_t regions = region_fields(*type, integers.size());
    const std::size_t needed = *type == RequestType::set_region_sync ? 2 : regions;
    const bool in_range =
        integers.size() >= needed &&
        std::all_of(integers.begin(),
                    integers.begin() + static_cast<std::ptrdiff_t>(std::min(regions, integers.size())),
                    [this](std::uint64_t region) { return region < region_count(); });
    if (!in_range) {
        answer.response.error = -EINVAL;
    } else if (*type == RequestType::get_resync_work) {
        answer.response.data = legacy_data(legacy_work(sender, changes));
    } else if (*type == RequestType::set_region_sync) {
        legacy_set_sync(sender, integers[0], integers[1] != 0);
    } else if (*type == RequestType::is_clean) {
        const bool clean = legacy_.copy->clean().test(integers[0]) && clean_.test(integers[0]);
        answer.response.data = legacy_data(std::vector<std::uint64_t>{clean});
    } else if (*type == RequestType::is_remote_recovering) {
        // 1 holds its writes back: only for a region that will be recovered while legacy members are there.
        const bool out_of_sync = legacy_.copy->asked_about(integers[0]);
        const bool later = fell_out_later(integers[0]) && !grants_.granted_to(integers[0]);
        // As recorded: one less than the lowest region out of sync.
        const RegionNumber lowest = lowest_out_of_sync();
        const RegionNumber hint = lowest == region_count() ? lowest : std::max<RegionNumber>(lowest, 1) - 1;
        answer.response.data = legacy_data(std::vector<std::uint64_t>{out_of_sync && !later, hint});
    } else {
        for (std::size_t i = 0; i < regions; ++i)
            legacy_region(sender, *type, integers[i]);
    }
    if (!sender.legacy || !is_answered(*type)) return;
    if (legacy_.requests.size() == LegacyGroup::requests_max) legacy_.requests.pop_front();
    legacy_.requests.push_back(std::move(answer));
}

/// MARK, CLEAR, and the marks of a FLUSH.
void LogState::legacy_region(const Member& sender, RequestType type, RegionNumber region) {
    const Owner owner = sender.owner();
    if (type == RequestType::clear_region) {
        legacy_.copy->clear(sender.id.node, region);
        if (sender.legacy) clear(owner, region);
    } else {
        legacy_.copy->mark(sender.id.node, region);
        // It cannot be held, a legacy server answers it at once: whoever copies the region meanwhile may lack it.
        if (sender.legacy) {
            const std::optional<Owner> copier = grants_.granted_to(region);
            if (copier && *copier != owner) overtaken_.insert(region);
            place_mark(owner, region);
        }
    }
    if (sender.legacy) not_suspected(sender.id, region);
    note_differing(region);
}

void LogState::legacy_set_sync(const Member& sender, RegionNumber region, bool in_sync) {
    legacy_.copy->set_sync(region, in_sync);
    if (sender.legacy) {
        if (in_sync)
            recovered(sender.owner(), region);
        else
            failed(sender.owner(), region);
    }
    note_differing(region);
}

/// All copies compute the same region. Where one of ours serves, it hands it out or not; a legacy server's answer is
/// waited for.
std::vector<std::uint64_t> LogState::legacy_work(const Member& sender, StateChanges& changes) {
    const Owner owner = sender.owner();
    std::vector<std::uint64_t> nothing{0, 0};
    if (legacy_.mode == LegacyGroup::Mode::entering) {
        changes.nothing_to_do.push_back(owner);
        return nothing;
    }
    const std::optional<RegionNumber> region = legacy_.copy->work(sender.id.node);
    if (legacy_serves()) {
        legacy_.undecided = sender.id;
        return nothing;
    }
    if (region && grants_.granted_to(*region) == owner) return {1, *region};
    if (!region || !may_hand_out(owner, *region)) {
        changes.nothing_to_do.push_back(owner);
        return nothing;
    }
    grant_one(owner, *region, changes);
    return {1, *region};
}

/// One region in the whole cluster, never one that fell out of sync later: a legacy server could not hold a MARK.
bool LogState::may_hand_out(Owner owner, RegionNumber region) const {
    return region < region_count() && grants_.empty() && !suspending_.contains(owner) && !fell_out_later(region) &&
           availability(owner, region) == Availability::free;
}

void LogState::grant_one(Owner owner, RegionNumber region, StateChanges& changes) {
    const Run run{owner, region, 1, reached_.test(region)};
    grants_.grant(run);
    if (priority_set_.erase(region) > 0) std::erase(priority_, region);
    changes.granted.push_back(run);
}

void LogState::legacy_response(const Member& sender, const LegacyFrame& frame, StateChanges& changes) {
    std::erase_if(legacy_.requests, [&](const LegacyRequest& r) {
        return r.origin.node == frame.originator && r.response.seq == frame.seq && r.response.type == frame.type;
    });
    const Member* lowest = lowest_member();
    if (legacy_request_type(frame) != RequestType::get_resync_work || lowest->id != sender.id || !sender.legacy) return;
    legacy_work_answered(frame.originator, frame, changes);
}

void LogState::legacy_work_answered(NodeId node, const LegacyFrame& frame, StateChanges& changes) {
    if (legacy_.undecided && legacy_.undecided->node == node) legacy_.undecided.reset();
    const std::vector<std::uint64_t> answer = legacy_integers(frame);
    const bool found = frame.error == 0 && answer.size() == 2 && answer[0] != 0 && answer[1] < region_count();
    legacy_.copy->answered_work(node, found ? std::optional(answer[1]) : std::nullopt);
    const Owner owner = owner_on(node);
    if (!found) return changes.nothing_to_do.push_back(owner);
    if (const auto copier = grants_.granted_to(answer[1])) {
        if (*copier == owner || owner.luid != legacy_luid || !present(owner)) return;
        // A legacy server whose copy differs gave it away twice: what two copy at once counts as copied by none.
        grants_.end(answer[1]);
        overtaken_.insert(answer[1]);
    }
    // A legacy member recovers it whatever we think of that; one of ours gives it back.
    if (owner.luid == legacy_luid ? present(owner) : may_hand_out(owner, answer[1]))
        grant_one(owner, answer[1], changes);
    else
        changes.nothing_to_do.push_back(owner);
}

}  // namespace cmirror::mirror_log
