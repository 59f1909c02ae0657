// Legacy members in the group: what this member says in the field's words, and what it answers for them (design.md,
// "Mixed clusters").
#include <algorithm>
#include <cerrno>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/legacy_frame.hpp"

namespace cmirror::mirror_log {

bool MirrorLogCore::mixed() const {
    return valid_ && state_->mixed();
}

/// The server of a disk log is whoever serves legacy members.
bool MirrorLogCore::writes_device() const {
    return is_server() && device_ready() && !state_->legacy_serves();
}

void MirrorLogCore::send_legacy(LegacyFrame frame, Effects& effects) {
    legacy_.under_way.emplace_back(frame.type, frame.seq);
    effects.emplace_back(SendEffect{std::move(frame)});
}

std::uint32_t MirrorLogCore::send_legacy_request(RequestType type, const std::vector<std::uint64_t>& integers,
                                                 bool needs_response, Effects& effects) {
    const std::uint32_t seq = legacy_.next_seq++;
    send_legacy(legacy_request(type, seq, integers, needs_response), effects);
    return seq;
}

/// Remembers what legacy members have to be told; say_to_legacy() tells it.
void MirrorLogCore::note_for_legacy(RequestType type, RegionNumber region) {
    if (!mixed()) return;
    // While it stands in for a legacy member's mark, ours stays.
    if (type == RequestType::clear_region && legacy_.shadows.contains(region)) return;
    legacy_.unsaid.push_back({type, region});
}

void MirrorLogCore::say_to_legacy(Effects& effects) {
    if (!mixed()) {
        legacy_.unsaid.clear();
        return;
    }
    std::vector<LegacyTalk::Unsaid> unsaid;
    unsaid.swap(legacy_.unsaid);
    for (std::size_t i = 0; i < unsaid.size();) {
        const RequestType type = unsaid[i].type;
        legacy_.unflushed = legacy_.unflushed || type != RequestType::clear_region;
        if (type == RequestType::set_region_sync) {
            send_legacy_request(type, {unsaid[i++].region, 0}, false, effects);
            continue;
        }
        std::vector<std::uint64_t> regions;
        for (; i < unsaid.size() && unsaid[i].type == type && regions.size() < legacy_regions_max; ++i)
            regions.push_back(unsaid[i].region);
        send_legacy_request(type, regions, false, effects);
    }
}

/// A legacy server writes the log device: its answer to a FLUSH covers all that was said before.
void MirrorLogCore::flush_legacy(Effects& effects) {
    if (!mixed() || !state_->legacy_serves()) return;
    if (!legacy_.unflushed && legacy_.flush_answered == legacy_.flush_sent) return;
    legacy_.unflushed = false;
    legacy_.flush_sent = send_legacy_request(RequestType::flush, {}, true, effects);
    ++rounds_;
}

bool MirrorLogCore::legacy_flushed(std::uint32_t need) const {
    return need <= legacy_.flush_answered || !mixed() || !state_->legacy_serves();
}

/// Marks of this node, and of legacy members that say them only once, for members that do not know them.
void MirrorLogCore::tell_marks(Instant now, Effects& effects) {
    const LegacyGroup& group = state_->legacy();
    if (legacy_.told >= group.joins) return;
    legacy_.told = group.joins;
    say_to_legacy(effects);
    for (const RegionNumber region : group.copy->marks_of(self_.node))
        if (!my_marks_.contains(region) && !legacy_.shadows.contains(region))
            legacy_.unsaid.push_back({RequestType::clear_region, region});
    for (const RegionNumber region : my_marks_)
        legacy_.unsaid.push_back({RequestType::mark_region, region});
    for (const RegionNumber region : legacy_.shadows)
        legacy_.unsaid.push_back({RequestType::mark_region, region});
    legacy_.shadowed_members.clear();
    cast_shadows();
    say_to_legacy(effects);
    outbox_.add({OpKind::legacy_told, group.joins, 1});
    outbox_.send(effects, now);
}

/// Nobody else tells these marks to legacy members that come now.
bool MirrorLogCore::speaks_for_itself(Owner who) const {
    return who.luid != legacy_luid && state_->present(who);
}

/// When members have changed: the lowest one of ours marks what the ones that cannot speak for themselves have marked.
void MirrorLogCore::cast_shadows() {
    std::vector<MemberId> members;
    for (const Member& member : state_->members())
        members.push_back(member.id);
    if (!is_server() || members == legacy_.shadowed_members) return;
    legacy_.shadowed_members = std::move(members);
    for (const Owner who : state_->marks().owners()) {
        if (speaks_for_itself(who)) continue;
        for (const RegionNumber region : state_->marks().of(who)) {
            if (legacy_.shadows.size() >= LegacyTalk::shadows_max) return;
            if (legacy_.shadows.insert(region).second) legacy_.unsaid.push_back({RequestType::mark_region, region});
        }
    }
}

/// The marks that ours stand in for are gone: so are ours.
void MirrorLogCore::drop_shadows() {
    for (auto i = legacy_.shadows.begin(); i != legacy_.shadows.end();) {
        const RegionNumber region = *i;
        const auto owners = state_->marks().owners();
        const bool needed = std::any_of(owners.begin(), owners.end(), [&](Owner who) {
            return !speaks_for_itself(who) && state_->marks().of(who).contains(region);
        });
        if (needed) {
            ++i;
            continue;
        }
        i = legacy_.shadows.erase(i);
        if (!my_marks_.contains(region)) legacy_.unsaid.push_back({RequestType::clear_region, region});
    }
}

/// Where legacy members believe something else than is so: a region whose recovery has ended or was never allowed, and
/// regions out of sync.
void MirrorLogCore::correct_legacy(Effects& effects) {
    const LegacyGroup& group = state_->legacy();
    if (group.mode != LegacyGroup::Mode::mixed) return;
    const auto correct = [&](RegionNumber region) {
        if (!legacy_.corrections.insert(region).second) return;
        const bool in_sync = state_->sync().test(region);
        // SET_REGION_SYNC 0 leaves a clean region clean; a MARK does not, and the CLEAR behind it changes nothing.
        const bool make_dirty = !in_sync && group.copy->clean().test(region);
        if (make_dirty) send_legacy_request(RequestType::mark_region, {region}, false, effects);
        send_legacy_request(RequestType::set_region_sync, {region, in_sync}, false, effects);
        if (make_dirty && !my_marks_.contains(region) && !legacy_.shadows.contains(region))
            send_legacy_request(RequestType::clear_region, {region}, false, effects);
    };
    if (const auto region = group.copy->recovering(); region && !group.undecided) {
        const NodeId node = group.copy->recoverer();
        const Owner who = state_->owner_on(node);
        const auto& members = state_->members();
        const bool by_ours = std::any_of(members.begin(), members.end(),
                                         [node](const Member& m) { return m.valid && m.id.node == node; });
        const bool by_legacy = state_->present({node, legacy_luid}) && !by_ours;
        const bool responsible = by_ours ? node == self_.node : is_server() && !(by_legacy && state_->legacy_serves());
        const auto granted = state_->grants().granted_to(*region);
        const bool goes_on = granted && granted->node == node && (by_ours ? *granted == who : true);
        if (responsible && !goes_on) correct(*region);
    }
    if (!is_server()) return;
    for (const RegionNumber region : group.differing) {
        if (legacy_.corrections.size() >= LegacyTalk::corrections_max) break;
        correct(region);
    }
}

/// Answers of the server to legacy members' requests, in the order in which these came.
void MirrorLogCore::answer_legacy(Effects& effects) {
    const LegacyGroup& group = state_->legacy();
    const Member* responder = state_->responder();
    if (responder == nullptr || responder->id != self_ || !quorate()) return;
    std::erase_if(legacy_.answered, [&](const auto& answered) {
        return std::none_of(group.requests.begin(), group.requests.end(), [&](const LegacyRequest& r) {
            return r.origin == answered.first && r.response.seq == answered.second;
        });
    });
    for (const LegacyRequest& request : group.requests) {
        const auto type = legacy_request_type(request.response);
        const bool durable = *type == RequestType::flush && args_.disk_log && writes_device();
        if (durable) {
            const auto through = durable_.find(request.origin);
            if (through == durable_.end() || through->second < request.through) continue;
        }
        if (!legacy_.answered.emplace(request.origin, request.response.seq).second) continue;
        LegacyFrame response = request.response;
        if (*type == RequestType::status_info) {
            const std::string text = status_info();
            const auto bytes = std::as_bytes(std::span(text));
            response.data.assign(bytes.begin(), bytes.end());
        }
        send_legacy(std::move(response), effects);
    }
}

/// The log device failed: legacy members' FLUSHes that wait for it carry the error.
void MirrorLogCore::fail_legacy_flushes(int error, Effects& effects) {
    const Member* responder = state_->responder();
    if (responder == nullptr || responder->id != self_) return;
    for (const LegacyRequest& request : state_->legacy().requests) {
        if (legacy_request_type(request.response) != RequestType::flush) continue;
        if (!legacy_.answered.emplace(request.origin, request.response.seq).second) continue;
        LegacyFrame response = request.response;
        response.error = -error;
        send_legacy(std::move(response), effects);
    }
}

/// A frame of the field's protocol was applied to the state: what it means to this member.
void MirrorLogCore::heard_legacy(MemberId sender, const LegacyFrame& frame, Effects& effects) {
    if (sender == self_) {
        const std::pair key{frame.type, frame.seq};
        const auto found = std::find(legacy_.under_way.begin(), legacy_.under_way.end(), key);
        if (found == legacy_.under_way.end()) return;
        const bool lost_some = found != legacy_.under_way.begin();
        legacy_.under_way.erase(legacy_.under_way.begin(), found + 1);
        if (const auto integers = legacy_integers(frame);
            frame.type == static_cast<std::uint32_t>(RequestType::set_region_sync) && !integers.empty())
            legacy_.corrections.erase(integers[0]);
        if (!lost_some) return;
        // corosync has lost what was overtaken: all is said again.
        legacy_.told = 0;
        legacy_.checkpoints_sent.clear();
        legacy_.answered.clear();
        legacy_.corrections.clear();
        legacy_.work_asked = false;
        legacy_.flush_again = true;
        return;
    }
    if (!is_legacy_response(frame) && legacy_request_type(frame) == RequestType::flush && args_.disk_log)
        to_confirm_[sender] = state_->member(sender)->next_seq;
    if (!is_legacy_response(frame) || frame.originator != self_.node) return;
    if (legacy_request_type(frame) != RequestType::flush || frame.seq > legacy_.flush_sent) return;
    legacy_.flush_answered = std::max(legacy_.flush_answered, frame.seq);
    if (frame.error == 0) return;
    for (const WaitingFlush& flush : std::exchange(flushes_, {}))
        refuse_flush(flush.request, -frame.error, effects);
    legacy_.unflushed = true;
}

/// Asks for a region when the kernel waits for one and nobody in the cluster recovers.
void MirrorLogCore::ask_legacy_for_work(Effects& effects) {
    const LegacyGroup& group = state_->legacy();
    if (work_.empty() || legacy_.work_asked || group.mode != LegacyGroup::Mode::mixed || !quorate()) return;
    if (life_ != LifeState::active || state_->grants().regions_of(owner()) > 0) return;
    if (group.copy->recovering() || group.undecided) return;
    legacy_.work_asked = true;
    send_legacy_request(RequestType::get_resync_work, {}, state_->legacy_serves(), effects);
    ++rounds_;
}

/// All copies put the region into their priority queues.
void MirrorLogCore::prioritise_for_legacy(RegionNumber region, Effects& effects) {
    const LegacyGroup& group = state_->legacy();
    if (group.mode != LegacyGroup::Mode::mixed || group.copy->recovering() == region || group.copy->queued(region))
        return;
    send_legacy_request(RequestType::is_remote_recovering, {region}, false, effects);
}

/// A grant or its refusal was delivered. True if the kernel is to wait on: someone else's recovery has to end first.
bool MirrorLogCore::work_waits_for_legacy() {
    legacy_.work_asked = false;
    if (!mixed()) return false;
    const LegacyGroup& group = state_->legacy();
    return group.mode == LegacyGroup::Mode::entering || group.copy->recovering();
}

/// Before FLUSHes are answered: those that wait for a server of ours now wait for the legacy one.
void MirrorLogCore::legacy_server_changed(Effects& effects) {
    if (!mixed()) return;
    const auto& members = state_->members();
    std::optional<MemberId> server;
    if (state_->legacy_serves()) {
        server = members.front().id;
        for (const Member& member : members)
            server = std::min(*server, member.id);
    }
    if (server == legacy_.server) return;
    legacy_.server = server;
    legacy_.work_asked = false;
    legacy_.answered.clear();
    if (!server || (flushes_.empty() && legacy_.flush_answered == legacy_.flush_sent)) return;
    flush_legacy_again(effects);
}

/// What an earlier FLUSH is answered with says nothing of what came too late for it.
void MirrorLogCore::flush_legacy_again(Effects& effects) {
    say_to_legacy(effects);
    legacy_.unflushed = true;
    flush_legacy(effects);
    for (WaitingFlush& flush : flushes_)
        flush.legacy_need = legacy_.flush_sent;
}

/// What follows from any event while a legacy member is there.
void MirrorLogCore::attend_legacy(Instant now, Effects& effects) {
    if (!mixed()) {
        if (!legacy_.unsaid.empty() || legacy_.told != 0 || legacy_.work_asked) {
            const std::uint32_t seq = legacy_.next_seq;
            legacy_ = {};
            legacy_.next_seq = seq;
        }
        return;
    }
    tell_marks(now, effects);
    if (std::exchange(legacy_.flush_again, false)) flush_legacy_again(effects);
    cast_shadows();
    drop_shadows();
    if (!outbox_.has_unsent()) say_to_legacy(effects);
    correct_legacy(effects);
    send_checkpoints(effects);
    answer_legacy(effects);
    ask_legacy_for_work(effects);
}

/// POSTSUSPEND: what the kernel has not cleared was not written to all legs.
void MirrorLogCore::leave_legacy(Effects& effects) {
    if (!mixed()) return;
    for (const RegionNumber region : my_marks_)
        note_for_legacy(RequestType::set_region_sync, region);
    for (const RegionNumber region : std::exchange(legacy_.shadows, {}))
        if (!my_marks_.contains(region)) note_for_legacy(RequestType::clear_region, region);
    say_to_legacy(effects);
    flush_legacy(effects);
    send_legacy_request(RequestType::postsuspend, {}, false, effects);
}

}  // namespace cmirror::mirror_log
