#include "tests/unit/log_cluster.hpp"

#include <algorithm>

#include "messages/invariant.hpp"
#include "messages/wire_disk.hpp"
#include "messages/wire_state_file.hpp"

namespace cmirror::mirror_log {

namespace {

/// As the cluster gateway.
constexpr Instant left_behind_for = std::chrono::seconds{10};

}  // namespace

DeviceImage MemoryDevice::image(std::uint64_t region_count) const {
    DeviceImage image;
    const auto header = unpack_device_header(bytes);
    if (!header) return image;
    image.is_log = true;
    image.version = header->version;
    image.region_count = header->region_count;
    image.words.resize(device_words(std::min(region_count, header->region_count)));
    unpack_device_words(std::span(bytes).subspan(device_header_size), image.words);
    return image;
}

bool MemoryDevice::clean(RegionNumber region) const {
    const auto byte = std::to_integer<unsigned>(bytes[device_header_size + region / 8]);
    return (byte >> (region % 8) & 1U) != 0;
}

LogCluster::LogCluster(std::string arguments, Settings settings)
    : arguments_(std::move(arguments)), settings_(settings) {
    device.bytes.resize(std::size_t{1} << 20U);
}

Settings LogCluster::without_doubt() {
    Settings settings;
    settings.device_doubt = Instant{0};
    settings.legacy_settle = Instant{0};
    return settings;
}

LogCluster::Node& LogCluster::add(NodeId id) {
    auto node = std::make_unique<Node>();
    node->id = id;
    node->luid = 0xffff880000000000U + id * 0x1000U;
    node->boot = {next_boot_++};
    node->process = next_process_++;
    LogConfig config{*Uuid::from_text("LVM-test"),
                     node->luid,
                     node->boot,
                     id * 7919U + node->process,
                     {},
                     settings_,
                     version_of(id)};
    node->core = std::make_unique<MirrorLogCore>(config);
    nodes_[id] = std::move(node);
    if (std::find(ring.begin(), ring.end(), id) == ring.end()) {
        ring.push_back(id);
        ++next_ring_;
    }
    tell_quorum();
    return *nodes_[id];
}

LogCluster::Node& LogCluster::start(NodeId id) {
    if (!nodes_.contains(id)) add(id);
    call(id, RequestType::ctr, ConstructorText{arguments_, false});
    call(id, RequestType::resume);
    return *nodes_[id];
}

std::uint32_t LogCluster::ask(NodeId id, RequestType type, RequestPayload payload) {
    Node& node = *nodes_.at(id);
    KernelRequest request{next_seq_++, type, 2, node.luid, *Uuid::from_text("LVM-test"), std::move(payload)};
    for (int times = requests_come_twice ? 2 : 1; times > 0; --times) {
        Effects effects;
        node.core->request(request, now, effects);
        carry_out(node, effects);
    }
    return request.seq;
}

std::optional<KernelReply> LogCluster::call(NodeId id, RequestType type, RequestPayload payload) {
    const std::uint32_t seq = ask(id, type, std::move(payload));
    settle();
    return reply_to(id, seq);
}

std::optional<KernelReply> LogCluster::reply_to(NodeId id, std::uint32_t seq) const {
    for (const KernelReply& reply : nodes_.at(id)->replies)
        if (reply.seq == seq) return reply;
    return std::nullopt;
}

bool LogCluster::step(NodeId id) {
    Node& node = *nodes_.at(id);
    if (node.inbox.empty() || (!node.core && !node.legacy)) return false;
    auto event = std::move(node.inbox.front());
    node.inbox.pop_front();
    if (node.legacy) {
        hand_to_legacy(node, event);
        return true;
    }
    Effects effects;
    if (auto* membership = std::get_if<Membership>(&event))
        node.core->membership(*membership, now, effects);
    else
        node.core->delivered(std::get<1>(event).first, std::get<1>(event).second, now, effects);
    carry_out(node, effects);
    return true;
}

void LogCluster::settle() {
    for (bool moved = true; moved;) {
        moved = false;
        for (auto& [id, node] : nodes_)
            if (!node->silent) moved = step(id) || moved;
    }
}

void LogCluster::advance(Instant time) {
    // Wishes to be woken that come again and again at the same moment would keep a daemon busy for nothing.
    constexpr int wakes_at_once_max = 1000;
    const Instant end = now + time;
    int wakes_at_once = 0;
    settle();
    while (true) {
        Node* next = nullptr;
        for (auto& [id, node] : nodes_)
            if (node->core && node->wake && (next == nullptr || *node->wake < *next->wake)) next = node.get();
        if (next == nullptr || *next->wake > end) break;
        wakes_at_once = *next->wake > now ? 0 : wakes_at_once + 1;
        CMIRROR_INVARIANT(wakes_at_once < wakes_at_once_max);
        now = std::max(now, *next->wake);
        next->wake.reset();
        Effects effects;
        next->core->timer(now, effects);
        carry_out(*next, effects);
        settle();
    }
    now = end;
}

void LogCluster::do_write(Node& node, WriteEffect& write) {
    Effects effects;
    ++device.writes;
    if (device.write_error != 0) {
        Failure<DeviceError> error(DeviceError{device.write_error, "it failed"});
        node.core->device_written(write.write, error, now, effects);
    } else {
        for (const DeviceBlock& block : write.blocks) {
            std::copy(block.bytes.begin(), block.bytes.end(),
                      device.bytes.begin() + static_cast<std::ptrdiff_t>(block.offset));
            device.bytes_written += block.bytes.size();
        }
        node.core->device_written(write.write, {}, now, effects);
    }
    carry_out(node, effects);
}

void LogCluster::release_one_write(NodeId id) {
    Node& node = *nodes_.at(id);
    CMIRROR_INVARIANT(!node.writes_held.empty());
    WriteEffect write = std::move(node.writes_held.front());
    node.writes_held.erase(node.writes_held.begin());
    do_write(node, write);
    settle();
}

void LogCluster::release_writes() {
    hold_writes = false;
    for (auto& [id, node] : nodes_)
        for (WriteEffect& write : std::exchange(node->writes_held, {}))
            if (node->core) do_write(*node, write);
    settle();
}

void LogCluster::carry_out(Node& node, Effects& effects) {
    // What the device answers at once is a later event, with wishes of its own.
    for (const Effect& effect : effects)
        if (const auto* wake = std::get_if<WakeEffect>(&effect)) node.wake = wake->at;
    for (Effect& effect : effects) {
        Effects more;
        if (auto* reply = std::get_if<KernelReply>(&effect)) {
            node.replies.push_back(*reply);
        } else if (auto* line = std::get_if<LineEffect>(&effect)) {
            node.lines.push_back(line->text);
        } else if (auto* keep = std::get_if<KeepEffect>(&effect)) {
            if (keep->begin) node.state_file.assign(keep->file_size, std::byte{0});
            for (const StatePatch& patch : keep->patches)
                std::copy(patch.bytes.begin(), patch.bytes.end(),
                          node.state_file.begin() + static_cast<std::ptrdiff_t>(patch.offset));
        } else if (std::holds_alternative<JoinEffect>(effect)) {
            if (node.joined) continue;
            node.joined = true;
            if (now >= node.left_behind_until) node.left_behind = {};
            if (!node.left_behind.state.empty()) node.core->inherit(std::exchange(node.left_behind, {}));
            change({}, {{node.member(), ChangeReason::join}});
        } else if (auto* leave = std::get_if<LeaveEffect>(&effect)) {
            if (!leave->left_behind.state.empty()) {
                node.left_behind = std::move(leave->left_behind);
                node.left_behind_until = now + left_behind_for;
            }
            if (!node.joined) continue;
            node.joined = false;
            change({{node.member(), ChangeReason::leave}}, {});
            node.inbox.clear();
        } else if (auto* send = std::get_if<SendEffect>(&effect)) {
            ++node.sent;
            if (!node.joined || node.silent) continue;
            if (drop_next[node.id] > 0) {
                --drop_next[node.id];
                continue;
            }
            multicast(node, send->message);
        } else if (std::holds_alternative<OpenEffect>(effect)) {
            if (device.open_error != 0)
                node.core->device_opened(Failure<DeviceError>(DeviceError{device.open_error, "no"}), now, more);
            else
                node.core->device_opened(device.bytes.size(), now, more);
        } else if (auto* read = std::get_if<ReadEffect>(&effect)) {
            if (device.read_error != 0)
                node.core->device_read(Failure<DeviceError>(DeviceError{device.read_error, "no"}), now, more);
            else
                node.core->device_read(device.image(read->region_count), now, more);
        } else if (auto* write = std::get_if<WriteEffect>(&effect)) {
            if (hold_writes)
                node.writes_held.push_back(std::move(*write));
            else
                do_write(node, *write);
        }
        carry_out(node, more);
    }
    effects.clear();
}

void LogCluster::multicast(Node& node, const ClusterMessage& message) {
    spoken.emplace_back(node.id, message);
    for (auto& [id, other] : nodes_)
        if (other->joined && other->side == node.side) other->inbox.emplace_back(std::pair(node.member(), message));
}

RegionList LogCluster::regions(std::initializer_list<RegionNumber> list) {
    RegionList all;
    for (const RegionNumber region : list)
        all.push_back(region);
    return all;
}

}  // namespace cmirror::mirror_log
