// Joining beside legacy members, and giving them the state (design.md, "Mixed clusters").
#include <algorithm>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/legacy_frame.hpp"

namespace cmirror::mirror_log {

/// What is delivered before the state is here: who is legacy, and the checkpoint that one of them sends.
void MirrorLogCore::await_legacy(const GroupDelivery& delivery) {
    const auto* frame = std::get_if<LegacyFrame>(&delivery.message);
    if (frame == nullptr || frame->pit_server == legacy_no_response_tag) {
        legacy_.ours_heard.insert(delivery.sender);
        return;
    }
    if (legacy_.ours_heard.contains(delivery.sender)) return;
    legacy_.legacy_heard.insert(delivery.sender);
    if (frame->type != legacy_checkpoint_ready || frame->originator != self_.node) return;
    if (legacy_.checkpoint && legacy_.checkpoint_sender < delivery.sender) return;
    auto checkpoint = unpack_legacy_checkpoint(frame->data, args_.region_count);
    if (!checkpoint) return;
    legacy_.checkpoint = std::move(*checkpoint);
    legacy_.checkpoint_sender = delivery.sender;
}

/// A legacy checkpoint counts when no member of ours can have the state: every older one has spoken as a legacy one,
/// or has said nothing for a time. One of ours may have had field's words under way when this one joined; what shows
/// that it is ours comes right behind.
void MirrorLogCore::start_beside_legacy(Instant now, Effects& effects) {
    const bool waits = !applying_ && !founding_ && !receiver_ && legacy_.checkpoint &&
                       std::none_of(older_.begin(), older_.end(),
                                    [this](MemberId member) { return legacy_.ours_heard.contains(member); });
    if (!waits) return legacy_.due.reset();
    const bool all_spoke = std::all_of(older_.begin(), older_.end(),
                                       [this](MemberId member) { return legacy_.legacy_heard.contains(member); });
    if (!legacy_.due) legacy_.due = now + config_.settings.legacy_wait;
    if (all_spoke) legacy_.due = std::min(*legacy_.due, now + config_.settings.legacy_settle);
    if (now < *legacy_.due) return;
    // A transfer from one of ours that broke off has taken the place of what came before it.
    if (!legacy_.backlog_whole) return rejoin(effects);
    founding_ = true;
    applying_ = true;
    legacy_.due.reset();
    state_.emplace(args_.region_count);
    state_->start_legacy(*legacy_.checkpoint, legacy_.at_join);
    state_->begin_lineage(token_);
    state_->joined(self_);
    merged_ = !device_ready();
    say(LogLevel::notice,
        "joined legacy members; " + std::to_string(state_->sync().count()) + " of " +
            std::to_string(args_.region_count) + " regions in sync",
        effects);
    for (const GroupEvent& event : std::exchange(backlog_, {}))
        if (applying_) apply(event, now, effects);
    if (applying_) effects.emplace_back(SendEffect{Valid{token_, state_->lineage()}});
}

/// Members that spoke in the field's words before this one started the state.
void MirrorLogCore::introduce_legacy(Effects& effects) {
    StateChanges changes;
    for (const MemberId member : legacy_.legacy_heard)
        state_->legacy_frame(member, legacy_request(RequestType::resume, 0, {}), changes);
    if (!legacy_.legacy_heard.empty()) say(LogLevel::notice, "legacy members wait for the state", effects);
}

/// One of ours that was taken for a legacy member has spoken: what it knows is more than a checkpoint says.
bool MirrorLogCore::mistaken_for_legacy(const GroupEvent& event, Effects& effects) {
    const auto* delivery = std::get_if<GroupDelivery>(&event);
    if (delivery == nullptr || std::holds_alternative<LegacyFrame>(delivery->message)) return false;
    const Member* member = state_->member(delivery->sender);
    if (member == nullptr || !member->legacy) return false;
    say(LogLevel::notice, "node " + std::to_string(delivery->sender.node) + " has the whole state: joining again",
        effects);
    rejoin(effects);
    return true;
}

/// The lowest member of ours gives legacy joiners the copy as it was at their join, when every member of ours has told
/// its marks since.
void MirrorLogCore::send_checkpoints(Effects& effects) {
    if (!is_server() || !quorate()) return;
    const LegacyGroup& group = state_->legacy();
    for (const auto& [id, checkpoint] : group.checkpoints) {
        const Member* joiner = state_->member(id);
        if (joiner == nullptr || !joiner->legacy || !state_->marks_told_to(*joiner)) continue;
        if (!legacy_.checkpoints_sent.insert(id).second) continue;
        LegacyFrame frame;
        frame.originator = id.node;
        frame.seq = self_.node;
        frame.type = legacy_checkpoint_ready;
        frame.data = pack_legacy_checkpoint(checkpoint, args_.region_count);
        send_legacy(std::move(frame), effects);
        say(LogLevel::notice, "gave legacy node " + std::to_string(id.node) + " the state", effects);
    }
}

}  // namespace cmirror::mirror_log
