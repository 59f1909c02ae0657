#include "actors/supervisor/supervisor_core.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "messages/invariant.hpp"

namespace cmirror {
namespace {

KernelReply answer(const KernelRequest& request, int error) {
    return {.seq = request.seq, .type = request.type, .luid = request.luid, .error = error, .payload = {}};
}

std::string describe(const Uuid& uuid, Luid luid) {
    return std::string(uuid.text()) + " (luid " + hexadecimal(luid) + ")";
}

std::string_view signal_name(int signal) {
    switch (signal) {
        case SIGINT:
            return "SIGINT";
        case SIGTERM:
            return "SIGTERM";
        case SIGQUIT:
            return "SIGQUIT";
        case SIGHUP:
            return "SIGHUP";
        default:
            return "a signal";
    }
}

/// True for what a kernel may still send for an instance that it has destroyed, and that success cannot make untrue.
bool harmless_when_late(const KernelRequest& request) {
    switch (request.type) {
        case RequestType::dtr:
        case RequestType::presuspend:
        case RequestType::postsuspend:
        case RequestType::clear_region:
        case RequestType::set_region_sync:
            return true;
        case RequestType::flush: {
            // With regions (integrated_flush) it is a MARK: success would promise marks that nobody has.
            const auto* regions = std::get_if<RegionList>(&request.payload);
            return regions == nullptr || regions->empty();
        }
        default:
            return false;
    }
}

}  // namespace

void SupervisorCore::on_request(KernelRequest request, TimePoint now, Effects& effects) {
    if (request.type == RequestType::ctr) return on_constructor(std::move(request), effects);
    const auto known = by_luid_.find(request.luid);
    if (known == by_luid_.end()) return answer_unknown(request, now, effects);
    const auto& instance = instances_.at(known->second);
    if (instance.uuid != request.uuid) return answer_unknown(request, now, effects);
    // The gateway asked before it had the route.
    effects.emplace_back(Forward{known->second, std::move(request)});
}

void SupervisorCore::on_constructor(KernelRequest request, Effects& effects) {
    const auto* text = std::get_if<ConstructorText>(&request.payload);
    CMIRROR_INVARIANT(text != nullptr);
    forget_destroyed(request.luid);
    if (const auto known = by_luid_.find(request.luid); known != by_luid_.end()) {
        const auto instance = known->second;
        const auto& entry = instances_.at(instance);
        if (entry.uuid == request.uuid && entry.arguments == text->text) {
            effects.emplace_back(Forward{instance, std::move(request)});
            return;
        }
        abandon(instance, effects);
    }
    if (instances_.size() >= limits_.logs_max) {
        effects.emplace_back(LogLine{LogLevel::error, "cannot create log " + describe(request.uuid, request.luid) +
                                                          ": there are " + std::to_string(instances_.size()) +
                                                          " logs already, more are not allowed"});
        effects.emplace_back(Reply{answer(request, -ENOMEM)});
        return;
    }
    const auto instance = next_instance_++;
    instances_.emplace(instance, Instance{.uuid = request.uuid, .luid = request.luid, .arguments = text->text});
    by_luid_.emplace(request.luid, instance);
    ++created_;
    effects.emplace_back(Spawn{instance, request.uuid, request.luid});
    effects.emplace_back(Forward{instance, std::move(request)});
    CMIRROR_INVARIANT(by_luid_.size() <= instances_.size());
}

void SupervisorCore::answer_unknown(const KernelRequest& request, TimePoint now, Effects& effects) {
    const auto type = request.type;
    if (was_destroyed(request)) {
        ++late_;
        // Never -ESRCH: the kernel would create the log again. What promises something is refused.
        effects.emplace_back(Reply{answer(request, harmless_when_late(request) ? 0 : -EINVAL)});
        return;
    }
    // Nothing is left to be undone of a log that does not exist; the kernel does not create it again for these.
    if (type == RequestType::dtr || type == RequestType::presuspend || type == RequestType::postsuspend) {
        effects.emplace_back(Reply{answer(request, 0)});
        return;
    }
    ++unknown_;
    LogLines lines;
    limiter_.add(lines, LogLevel::notice, request.uuid.text(),
                 std::string(name_of(type)) + " for unknown log " + describe(request.uuid, request.luid) +
                     ": asking the kernel to create it again",
                 now);
    for (auto& line : lines)
        effects.emplace_back(std::move(line));
    // A RESUME that fails is not repeated, and the request of a reconnect that it belongs to fails with it: IN_SYNC
    // would count as 0, and a write reach the primary leg alone. The next request brings the log back.
    effects.emplace_back(Reply{answer(request, type == RequestType::resume ? 0 : -ESRCH)});
}

void SupervisorCore::abandon(InstanceId instance, Effects& effects) {
    auto& entry = instances_.at(instance);
    CMIRROR_INVARIANT(!entry.abandoned && !entry.ended);
    entry.abandoned = true;
    by_luid_.erase(entry.luid);
    effects.emplace_back(LogLine{LogLevel::warning, "log " + describe(entry.uuid, entry.luid) +
                                                        " is replaced: the kernel created another one in its place"});
    effects.emplace_back(RemoveRoute{entry.luid});
    effects.emplace_back(AbandonLog{instance});
}

void SupervisorCore::on_ended(InstanceId instance, bool destroyed, Effects& effects) {
    const auto found = instances_.find(instance);
    if (found == instances_.end() || found->second.ended) return;
    auto& entry = found->second;
    entry.ended = true;
    if (entry.abandoned) return;
    by_luid_.erase(entry.luid);
    effects.emplace_back(RemoveRoute{entry.luid});
    if (destroyed) remember_destroyed(entry);
}

void SupervisorCore::on_down(InstanceId instance, const std::string& reason, Effects& effects) {
    const auto found = instances_.find(instance);
    if (found == instances_.end()) return;
    const auto& entry = found->second;
    if (!entry.ended) {
        ++died_;
        effects.emplace_back(LogLine{LogLevel::error, "internal: log " + describe(entry.uuid, entry.luid) + " died (" +
                                                          reason + "): the kernel will create it again"});
        if (!entry.abandoned) {
            by_luid_.erase(entry.luid);
            effects.emplace_back(RemoveRoute{entry.luid});
        }
    }
    instances_.erase(found);
    effects.emplace_back(Forget{instance});
    CMIRROR_INVARIANT(by_luid_.size() <= instances_.size());
}

void SupervisorCore::on_signal(int signal, Effects& effects) {
    switch (signal) {
        case SIGUSR1:
            effects.emplace_back(Report{status()});
            return;
        case SIGINT:
        case SIGTERM:
        case SIGQUIT:
        case SIGHUP:
            break;
        default:
            return;
    }
    const auto count = active();
    if (count == 0) {
        effects.emplace_back(
            LogLine{LogLevel::notice, "stopping: " + std::string(signal_name(signal)), LogEvent::daemon_stopping});
        effects.emplace_back(Stop{});
        return;
    }
    effects.emplace_back(LogLine{LogLevel::error,
                                 std::string(signal_name(signal)) + " ignored: " + std::to_string(count) +
                                     (count == 1 ? " log is" : " logs are") + " active: " + names_of_active() +
                                     "; remove the mirrors that use them first",
                                 LogEvent::stop_refused});
}

void SupervisorCore::remember_destroyed(const Instance& instance) {
    if (limits_.destroyed_max == 0) return;
    while (destroyed_order_.size() >= limits_.destroyed_max) {
        destroyed_.erase(destroyed_order_.front());
        destroyed_order_.pop_front();
    }
    destroyed_.insert_or_assign(instance.luid, instance.uuid);
    destroyed_order_.push_back(instance.luid);
    CMIRROR_INVARIANT(destroyed_.size() <= destroyed_order_.size());
}

bool SupervisorCore::was_destroyed(const KernelRequest& request) const {
    // A kernel that resumes an instance certainly has it.
    if (request.type == RequestType::resume) return false;
    const auto found = destroyed_.find(request.luid);
    return found != destroyed_.end() && found->second == request.uuid;
}

void SupervisorCore::forget_destroyed(Luid luid) {
    if (destroyed_.erase(luid) == 0) return;
    std::erase(destroyed_order_, luid);
}

std::size_t SupervisorCore::active() const {
    return static_cast<std::size_t>(
        std::count_if(instances_.begin(), instances_.end(), [](const auto& entry) { return !entry.second.ended; }));
}

std::string SupervisorCore::names_of_active() const {
    constexpr std::size_t named_max = 8;
    std::string names;
    std::size_t named = 0;
    for (const auto& [id, instance] : instances_) {
        if (instance.ended) continue;
        if (named == named_max) return names + ", ...";
        names += (named++ == 0 ? "" : ", ") + describe(instance.uuid, instance.luid);
    }
    return names;
}

ActorStatus SupervisorCore::status() const {
    ActorStatus status{.heading = "SUPERVISOR DEBUGGING::", .fields = {}};
    const auto add = [&status](std::string name, std::uint64_t value) {
        status.fields.emplace_back(std::move(name), std::to_string(value));
    };
    add("logs", active());
    add("logs_max", limits_.logs_max);
    add("created", created_);
    add("died", died_);
    add("unknown", unknown_);
    add("late", late_);
    return status;
}

std::string supervisor_status(std::size_t logs) {
    return "serves " + (logs == 0 ? std::string("no logs") : std::to_string(logs) + (logs == 1 ? " log" : " logs"));
}

}  // namespace cmirror
