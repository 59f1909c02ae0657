#include "tests/sim/legacy_daemon.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "messages/wire_disk.hpp"
#include "messages/wire_kernel.hpp"
#include "tests/sim/kernel.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

namespace {

constexpr std::uint64_t region_sectors = 1024;

std::vector<std::uint64_t> integers_of(const KernelRequest& request) {
    if (const auto* region = std::get_if<RegionNumber>(&request.payload)) return {*region};
    if (const auto* sync = std::get_if<RegionSync>(&request.payload)) return {sync->region, sync->in_sync};
    if (const auto* list = std::get_if<RegionList>(&request.payload)) return {list->begin(), list->end()};
    return {};
}

ReplyPayload payload_of(const std::vector<std::uint64_t>& integers) {
    if (integers.size() == 1) return integers[0];
    if (integers.size() == 2) return FlagAndRegion{static_cast<std::int64_t>(integers[0]), integers[1]};
    return {};
}

/// The map on the log device: nothing if it holds no log.
std::optional<std::vector<bool>> read_map(Mirror& mirror) {
    const std::span<const std::byte> bytes = mirror.disk->bytes();
    if (!unpack_device_header(bytes)) return std::nullopt;
    std::vector<bool> map(mirror.profile.regions);
    for (std::size_t i = 0; i < map.size(); ++i)
        map[i] = (std::to_integer<unsigned>(bytes[device_header_size + i / 8]) >> (i % 8) & 1U) != 0;
    return map;
}

void write_map(Mirror& mirror, const std::vector<bool>& clean) {
    auto& bytes = mirror.disk->bytes();
    pack_device_header({device_version, mirror.profile.regions}, std::span(bytes).first(device_header_size));
    for (std::size_t i = 0; i < clean.size(); ++i) {
        std::byte& byte = bytes[device_header_size + i / 8];
        const auto bit = static_cast<std::byte>(1U << (i % 8));
        byte = clean[i] ? byte | bit : byte & ~bit;
    }
}

}  // namespace

LegacyDaemon::LegacyDaemon(Node& node, std::uint32_t process)
    : node_(node), process_(process), cluster_(node.world.cluster.provider(node.id, process)) {}

LegacyDaemon::~LegacyDaemon() {
    node_.world.cluster.lose_process({node_.id, process_});
}

LegacyDaemon::Log* LegacyDaemon::find(Luid luid) {
    const auto found = std::find_if(logs_.begin(), logs_.end(), [luid](const auto& log) { return log->luid == luid; });
    return found == logs_.end() ? nullptr : found->get();
}

void LegacyDaemon::answer(const KernelRequest& request, int error, ReplyPayload payload) {
    if (!node_.kernel) return;
    std::array<std::byte, kernel_frame_size_max> buffer{};
    const std::size_t size =
        pack_kernel_reply({request.seq, request.type, request.luid, -error, std::move(payload)}, buffer);
    node_.kernel->frame_from_daemon({buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size)});
}

void LegacyDaemon::construct(const KernelRequest& request) {
    if (find(request.luid) == nullptr) {
        auto log = std::make_unique<Log>();
        log->uuid = request.uuid;
        log->luid = request.luid;
        logs_.push_back(std::move(log));
    }
    const auto& text = std::get<ConstructorText>(request.payload);
    const Mirror& mirror = node_.world.mirror_of(request.uuid);
    const bool named = mirror.disk && !text.reconnect;
    // As a name its NUL counts.
    answer(request, 0, named ? ReplyPayload{mirror.device + '\0'} : ReplyPayload{});
}

void LegacyDaemon::request(const KernelRequest& request) {
    if (request.type == RequestType::ctr) return construct(request);
    Log* log = find(request.luid);
    switch (request.type) {
        case RequestType::dtr:
            if (log != nullptr) {
                log->wants_in = false;
                log->wants_out = log->connection != nullptr;
                log->destroyed = true;
            }
            return answer(request, 0);
        case RequestType::presuspend:
            return answer(request, 0);
        default:
            break;
    }
    if (log == nullptr) return answer(request, ESRCH);
    switch (request.type) {
        case RequestType::get_region_size:
            return answer(request, 0, region_sectors);
        case RequestType::resume:
            if (log->joined && !log->wants_out && log->member->valid()) return answer(request, 0);
            log->wants_in = true;
            log->waiting[0] = request;
            return;
        case RequestType::postsuspend:
            if (log->joined) log->member->request(RequestType::postsuspend);
            log->wants_in = false;
            log->wants_out = log->joined;
            return answer(request, 0);
        default:
            return ask_member(*log, request);
    }
}

void LegacyDaemon::ask_member(Log& log, const KernelRequest& request) {
    const bool pair = request.type == RequestType::get_resync_work || request.type == RequestType::is_remote_recovering;
    const bool single = request.type == RequestType::in_sync || request.type == RequestType::get_sync_count ||
                        request.type == RequestType::is_clean;
    const bool works = log.joined && !log.wants_out && log.member->valid();
    if (!works && pair) return answer(request, 0, FlagAndRegion{0, 0});
    if (!works && single) return answer(request, 0, std::uint64_t{0});
    if (!works) return answer(request, 0);
    log.waiting[log.member->request(request.type, integers_of(request))] = request;
}

struct LegacyDaemon::Events final : GroupEvents {
    Events(Log& the_log, Mirror& the_mirror) : log(the_log), mirror(the_mirror) {}
    void delivered(MemberId sender, std::span<const std::byte> frame) override { log.member->delivered(sender, frame); }
    void changed(Membership membership) override {
        const auto me = std::find_if(membership.left.begin(), membership.left.end(),
                                     [&](const MemberChange& change) { return change.member == membership.self; });
        if (me != membership.left.end()) {
            out = true;
            return;
        }
        // For the case that it is alone.
        if (mirror.disk) log.member->device_map = read_map(mirror);
        log.member->membership(membership);
    }
    Log& log;
    Mirror& mirror;
    bool out = false;
};

bool LegacyDaemon::poll() {
    if (node_.world.is_paused(node_)) return false;
    bool more = false;
    for (auto& log : logs_)
        more = poll(*log) || more;
    std::erase_if(logs_, [](const auto& log) { return log->destroyed && !log->connection; });
    return more;
}

bool LegacyDaemon::poll(Log& log) {
    if (log.wants_in && !log.connection) join(log);
    if (!log.connection) return false;
    Events events(log, node_.world.mirror_of(log.uuid));
    bool more = false;
    if (log.connection->dispatch(events, 16, more) != ClusterCall::done) return false;
    if (events.out) {
        left_group(log);
        return true;
    }
    for (auto& frame : log.member->take_sent())
        log.outgoing.push_back(std::move(frame));
    bool sent = false;
    while (log.joined && !log.leaving && !log.outgoing.empty() &&
           log.connection->multicast(log.outgoing.front()) == ClusterCall::done) {
        log.outgoing.pop_front();
        sent = true;
    }
    if (log.wants_out && !log.leaving && log.outgoing.empty())
        log.leaving = log.connection->leave() == ClusterCall::done;
    const auto replies = log.member->take_replies();
    for (const auto& reply : replies) {
        const auto found = log.waiting.find(reply.seq);
        if (found == log.waiting.end()) continue;
        const KernelRequest request = std::move(found->second);
        log.waiting.erase(found);
        answer(request, -reply.error, reply.error != 0 ? ReplyPayload{} : payload_of(reply.integers));
    }
    return more || sent || !replies.empty();
}

void LegacyDaemon::join(Log& log) {
    const bool busy = std::any_of(logs_.begin(), logs_.end(), [&](const auto& other) {
        return other.get() != &log && other->uuid == log.uuid && other->connection;
    });
    if (busy || !node_.in_ring) return;
    auto connection = cluster_->open_group();
    if (!connection || (*connection)->join(log.uuid) != ClusterCall::done) return;
    log.connection = std::move(*connection);
    make_member(log);
    log.joined = true;
}

void LegacyDaemon::make_member(Log& log) {
    Mirror& mirror = node_.world.mirror_of(log.uuid);
    log.member = std::make_unique<test::LegacyMember>(log.uuid, node_.id, mirror.profile.regions);
    if (!mirror.disk) return;
    log.member->write_device = [&mirror](const std::vector<bool>& clean) { write_map(mirror, clean); };
}

/// The group is left; what its kernel still waits for has nobody to answer it.
void LegacyDaemon::left_group(Log& log) {
    log.connection.reset();
    log.member.reset();
    log.outgoing.clear();
    log.joined = log.leaving = log.wants_out = false;
    for (const auto& [seq, request] : std::exchange(log.waiting, {}))
        if (request.type == RequestType::resume)
            log.waiting[0] = request;
        else
            answer(request, 0);
}

}  // namespace cmirror::sim
