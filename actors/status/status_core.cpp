#include "actors/status/status_core.hpp"

#include <map>
#include <utility>

#include "messages/invariant.hpp"

namespace cmirror {

void StatusCore::begin(const DaemonIdentity& daemon, std::size_t actors, std::size_t logs, TimePoint now) {
    CMIRROR_INVARIANT(!busy());
    snapshot_ = {};
    snapshot_.daemon = daemon;
    snapshot_.actors.resize(actors);
    snapshot_.logs.resize(logs);
    came_.assign(actors + logs, false);
    outstanding_ = actors + logs;
    deadline_ = now + patience;
    ++current_;
}

template <class Parts, class Part>
bool StatusCore::place(Parts& parts, std::uint64_t snapshot, std::size_t index, Part part) {
    if (snapshot != current_ || !busy()) return false;
    CMIRROR_INVARIANT(index < parts.size());
    const bool is_log = static_cast<const void*>(&parts) == static_cast<const void*>(&snapshot_.logs);
    const auto place = index + (is_log ? snapshot_.actors.size() : 0);
    if (came_[place]) return false;
    came_[place] = true;
    parts[index] = std::move(part);
    return --outstanding_ == 0;
}

bool StatusCore::on_actor(std::uint64_t snapshot, std::size_t index, std::variant<PartMissing, ActorStatus> part) {
    return place(snapshot_.actors, snapshot, index, std::move(part));
}

bool StatusCore::on_log(std::uint64_t snapshot, std::size_t index, std::variant<PartMissing, LogStatus> part) {
    return place(snapshot_.logs, snapshot, index, std::move(part));
}

void StatusCore::add_waited() {
    std::map<std::pair<Luid, std::uint32_t>, std::uint64_t> waited;
    for (auto& part : snapshot_.actors) {
        auto* actor = std::get_if<ActorStatus>(&part);
        if (actor == nullptr) continue;
        for (const auto& request : std::exchange(actor->waiting, {}))
            waited[{request.luid, request.seq}] = request.waited_ms;
    }
    for (auto& part : snapshot_.logs) {
        auto* log = std::get_if<LogStatus>(&part);
        if (log == nullptr) continue;
        for (auto& request : log->pending)
            if (const auto found = waited.find({log->luid, request.seq}); found != waited.end())
                request.waited_ms = found->second;
    }
}

StatusSnapshot StatusCore::finish() {
    outstanding_ = 0;
    add_waited();
    return std::exchange(snapshot_, {});
}

}  // namespace cmirror
