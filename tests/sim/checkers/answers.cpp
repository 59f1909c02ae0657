#include "tests/sim/checkers/answers.hpp"

#include <cerrno>

#include "tests/sim/world.hpp"

namespace cmirror::sim {

namespace {

constexpr std::size_t pending_max = 600;
/// Group commit: one write at a time, and a look at the device behind it.
constexpr std::size_t device_calls_max = 6;

std::size_t size_of_answer(const KernelRequest& request, const Mirror& mirror) {
    switch (request.type) {
        case RequestType::get_region_size:
        case RequestType::is_clean:
        case RequestType::in_sync:
        case RequestType::get_sync_count:
            return 8;
        case RequestType::get_resync_work:
        case RequestType::is_remote_recovering:
            return 16;
        case RequestType::ctr: {
            const bool named = mirror.profile.disk_log && !std::get<ConstructorText>(request.payload).reconnect;
            return named ? 4 : 0;
        }
        default:
            return 0;
    }
}

}  // namespace

void AnswersChecker::asked(Node& node, const KernelRequest& request, unsigned copies, std::size_t room) {
    open_[{node.id, node.boots, request.seq}] = {std::string(name_of(request.type)), room, copies};
}

void AnswersChecker::replied(Node& node, const UnpackedKernelReply& reply) {
    const auto found = open_.find({node.id, node.boots, reply.seq});
    if (found == open_.end()) return violated(node.id, "an answer to the unknown seq " + std::to_string(reply.seq));
    Open& open = found->second;
    if (open.answers_left == 0)
        return violated(node.id, "a second answer to " + open.request + " #" + std::to_string(reply.seq));
    --open.answers_left;
    if (reply.data.size() > open.room)
        violated(node.id, "an answer of " + std::to_string(reply.data.size()) + " bytes to " + open.request + " #" +
                              std::to_string(reply.seq) + ", which has room for " + std::to_string(open.room));
}

void AnswersChecker::answered(Node& node, const KernelRequest& request, const Answer& answer) {
    if (answer.error == 0) {
        if (answer.size != size_of_answer(request, world_.mirror_of(request.uuid)))
            violated(node.id, std::to_string(answer.size) + " bytes of answer to " + world_.describe(request));
        const bool flag = request.type == RequestType::in_sync || request.type == RequestType::is_clean ||
                          request.type == RequestType::get_resync_work ||
                          request.type == RequestType::is_remote_recovering;
        if (flag && answer.first > 1) violated(node.id, "a flag that is neither 0 nor 1: " + world_.describe(request));
        return;
    }
    // Requests of this kernel are all in order: a log may be unknown, or its device fail.
    const bool may_fail = request.type == RequestType::ctr || request.type == RequestType::flush ||
                          request.type == RequestType::mark_region || request.type == RequestType::set_region_sync;
    if (answer.error != -ESRCH && !may_fail)
        violated(node.id, "error " + std::to_string(answer.error) + " to " + world_.describe(request));
}

void HintChecker::answered(Node& node, const KernelRequest& request, const Answer& answer) {
    const auto* core = node.daemon ? node.daemon->log(request.luid) : nullptr;
    if (answer.error != 0 || core == nullptr || !core->valid() || core->state() == nullptr) return;
    const RegionNumber lowest = core->state()->sync().next_clear(0);
    RegionNumber hint = 0;
    if (request.type == RequestType::is_remote_recovering)
        hint = answer.second;
    else if (request.type == RequestType::get_sync_count && answer.first >= core->state()->region_count())
        hint = core->state()->region_count();
    const auto before = before_.find({node.id, request.luid});
    if (before != before_.end() && hint > lowest && hint > before->second)
        violated(node.id,
                 "hint " + std::to_string(hint) + " although region " + std::to_string(lowest) + " is out of sync");
}

void HintChecker::after_event() {
    for (auto& node : world_.nodes()) {
        if (!node->daemon) continue;
        for (const RunningLog& log : node->daemon->logs()) {
            const auto* state = log.core->valid() ? log.core->state() : nullptr;
            if (state != nullptr)
                before_[{node->id, log.luid}] = state->lowest_out_of_sync();
            else
                before_.erase({node->id, log.luid});
        }
    }
}

void BoundsChecker::every_second() {
    for (auto& node : world_.nodes()) {
        if (!node->daemon) continue;
        for (const RunningLog& log : node->daemon->logs()) {
            const std::size_t pending = log.core->status().pending.size();
            if (pending > pending_max) violated(node->id, std::to_string(pending) + " requests wait in a log");
            if (log.core->state() == nullptr) continue;
            const auto& state = *log.core->state();
            if (state.held().size() > world_.nodes().size() * state.region_count())
                violated(node->id, std::to_string(state.held().size()) + " marks are held");
            if (state.marks().count() > 4 * world_.nodes().size() * state.region_count())
                violated(node->id, std::to_string(state.marks().count()) + " marks");
        }
        for (const auto& queue : node->daemon->devices())
            if (queue->size() > device_calls_max)
                violated(node->id, std::to_string(queue->size()) + " calls of one log device wait");
    }
}

}  // namespace cmirror::sim
