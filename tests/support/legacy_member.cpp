#include "tests/support/legacy_member.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "messages/wire_cluster.hpp"

namespace cmirror::test {

namespace {

constexpr std::uint32_t checkpoint_ready = 21;
constexpr std::uint32_t response_flag = 0x1000;
constexpr std::uint64_t no_region = ~std::uint64_t{0};

std::vector<std::uint64_t> integers_of(const LegacyFrame& frame) {
    std::vector<std::uint64_t> integers(frame.data.size() / 8);
    if (!integers.empty()) std::memcpy(integers.data(), frame.data.data(), integers.size() * 8);
    return integers;
}

std::vector<std::byte> bytes_of(const std::vector<std::uint64_t>& integers) {
    std::vector<std::byte> bytes(integers.size() * 8);
    if (!bytes.empty()) std::memcpy(bytes.data(), integers.data(), bytes.size());
    return bytes;
}

std::vector<std::uint32_t> words_of(const std::vector<bool>& bits) {
    std::vector<std::uint32_t> words(bits.size() / 32 + 1);
    for (std::size_t i = 0; i < bits.size(); ++i)
        if (bits[i]) words[i / 32] |= 1U << (i % 32);
    return words;
}

/// Are requests of this type multicast, and answered by the server?
bool is_cluster_request(RequestType type) {
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

}  // namespace

LegacyMember::LegacyMember(Uuid uuid, NodeId node, std::uint64_t region_count)
    : uuid_(uuid), node_(node), region_count_(region_count), sync_(region_count), clean_(region_count) {}

bool LegacyMember::is_server() const {
    return std::none_of(members_.begin(), members_.end(), [this](MemberId m) { return m.node < node_; });
}

std::set<NodeId> LegacyMember::marks_of(RegionNumber region) const {
    const auto marked = marks_.find(region);
    return marked == marks_.end() ? std::set<NodeId>{} : marked->second;
}

std::vector<std::vector<std::byte>> LegacyMember::take_sent() {
    return std::exchange(sent_, {});
}

void LegacyMember::multicast(const LegacyFrame& frame) {
    sent_.push_back(pack_cluster_message(frame, uuid_));
}

void LegacyMember::membership(const Membership& membership) {
    const bool was_server = joined_ && is_server();
    members_ = membership.members;
    if (!joined_) {
        joined_ = true;
        multicast({0, 0, 2, 0, next_seq_++, static_cast<std::uint32_t>(RequestType::resume), {}});
        if (members_.size() == 1) {
            valid_ = true;
            if (device_map) sync_ = clean_ = *device_map;
        }
        return;
    }
    for (const MemberChange& gone : membership.left)
        forget(gone.member.node);
    if (valid_)
        for (const MemberChange& come : membership.joined)
            send_checkpoint(come.member.node);
    if (was_server != is_server() || !membership.left.empty())
        for (const Waiting& waiting : unanswered_)
            send_request(waiting);
}

void LegacyMember::forget(NodeId node) {
    if (std::any_of(members_.begin(), members_.end(), [node](MemberId m) { return m.node == node; })) return;
    if (recoverer_ == node) recovering_.reset();
}

void LegacyMember::send_checkpoint(NodeId joiner) {
    const LegacyCheckpoint checkpoint{words_of(sync_), words_of(clean_), recovering_.value_or(no_region), recoverer_};
    multicast({joiner, 0, 0, 0, node_, checkpoint_ready, pack_legacy_checkpoint(checkpoint, region_count_)});
}

void LegacyMember::delivered(MemberId sender, std::span<const std::byte> bytes) {
    if (!joined_) return;
    const auto message = unpack_cluster_message(bytes, uuid_);
    if (!message || !std::holds_alternative<LegacyFrame>(*message)) {
        ++foreign_frames_;
        return;
    }
    const auto& frame = std::get<LegacyFrame>(*message);
    if (frame.type == checkpoint_ready) return take_checkpoint(frame);
    if ((frame.type & response_flag) != 0) return apply_response(frame);
    if (valid_)
        apply(sender.node, frame);
    else
        backlog_.emplace_back(sender.node, frame);
}

void LegacyMember::take_checkpoint(const LegacyFrame& frame) {
    if (frame.originator != node_) return;
    ++checkpoints_seen_;
    if (valid_) return;
    const auto checkpoint = unpack_legacy_checkpoint(frame.data, region_count_);
    if (!checkpoint) return;
    for (std::uint64_t i = 0; i < region_count_; ++i) {
        sync_[i] = (checkpoint->sync_words[i / 32] >> (i % 32) & 1U) != 0;
        clean_[i] = (checkpoint->clean_words[i / 32] >> (i % 32) & 1U) != 0;
    }
    if (checkpoint->recovering_region != no_region) recovering_ = checkpoint->recovering_region;
    recoverer_ = checkpoint->recoverer;
    valid_ = true;
    for (const auto& [sender, kept] : std::exchange(backlog_, {}))
        apply(sender, kept);
}

void LegacyMember::apply(NodeId sender, const LegacyFrame& frame) {
    const auto type = static_cast<RequestType>(frame.type);
    const std::vector<std::uint64_t> integers = integers_of(frame);
    if (type == RequestType::resume) {
        if (sender == node_ && !std::exchange(resumed_, true)) replies_.push_back({0, type, 0, {}, {}});
        return;
    }
    if (type == RequestType::postsuspend) {
        if (recoverer_ == sender) recovering_.reset();
        for (auto& [region, nodes] : marks_)
            nodes.erase(sender);
        std::erase_if(marks_, [](const auto& m) { return m.second.empty(); });
        return;
    }
    std::int32_t error = 0;
    const std::vector<std::uint64_t> result = answer(sender, type, integers, error);
    if (!is_cluster_request(type) || !is_server()) return;
    LegacyFrame response{sender, 0, frame.version, error, frame.seq, frame.type | response_flag, bytes_of(result)};
    if (type == RequestType::status_info) {
        const auto text = std::as_bytes(std::span(status));
        response.data.assign(text.begin(), text.end());
    }
    if (type == RequestType::flush && write_device) write_device(clean_);
    multicast(response);
}

std::vector<std::uint64_t> LegacyMember::answer(NodeId sender, RequestType type,
                                                const std::vector<std::uint64_t>& integers, std::int32_t& error) {
    const bool one_region = type == RequestType::set_region_sync || type == RequestType::is_clean ||
                            type == RequestType::is_remote_recovering;
    const std::size_t regions = one_region ? 1 : integers.size();
    for (std::size_t i = 0; i < regions; ++i) {
        if (i < integers.size() && integers[i] < region_count_) continue;
        error = -EINVAL;
        return {};
    }
    switch (type) {
        case RequestType::mark_region:
        case RequestType::flush:
            for (const RegionNumber region : integers) {
                marks_[region].insert(sender);
                clean_[region] = false;
            }
            return {};
        case RequestType::clear_region:
            for (const RegionNumber region : integers) {
                marks_[region].erase(sender);
                if (!marks_[region].empty()) continue;
                marks_.erase(region);
                if (sync_[region]) clean_[region] = true;
            }
            return {};
        case RequestType::set_region_sync:
            set_sync(integers[0], integers[1] != 0);
            return {};
        case RequestType::get_resync_work:
            return work(sender);
        case RequestType::is_clean:
            return {clean_[integers[0]]};
        case RequestType::is_remote_recovering: {
            const RegionNumber region = integers[0];
            const bool queued = std::find(priority_.begin(), priority_.end(), region) != priority_.end();
            if (!sync_[region] && recovering_ != region && !queued) priority_.push_back(region);
            return {!sync_[region], cursor_ == 0 ? 0 : cursor_ - 1};
        }
        default:
            return {};
    }
}

void LegacyMember::set_sync(RegionNumber region, bool in_sync) {
    if (recovering_ == region) recovering_.reset();
    sync_[region] = in_sync;
}

std::vector<std::uint64_t> LegacyMember::work(NodeId node) {
    if (recovering_ && recoverer_ != node) return {0, 0};
    while (!recovering_ && !priority_.empty()) {
        if (!sync_[priority_.front()]) recovering_ = priority_.front();
        priority_.pop_front();
    }
    while (!recovering_ && cursor_ < region_count_) {
        if (!sync_[cursor_]) recovering_ = cursor_;
        ++cursor_;
    }
    if (!recovering_) return {0, 0};
    recoverer_ = node;
    return {1, *recovering_};
}

void LegacyMember::apply_response(const LegacyFrame& frame) {
    if (frame.originator != node_) return;
    const auto type = static_cast<RequestType>(frame.type & ~response_flag);
    const auto waiting = std::find_if(unanswered_.begin(), unanswered_.end(),
                                      [&](const Waiting& w) { return w.seq == frame.seq && w.type == type; });
    if (waiting == unanswered_.end()) return;
    unanswered_.erase(waiting);
    Reply reply{frame.seq, type, frame.error, {}, {}};
    if (type == RequestType::status_info)
        reply.text.assign(reinterpret_cast<const char*>(frame.data.data()), frame.data.size());
    else
        reply.integers = integers_of(frame);
    replies_.push_back(std::move(reply));
}

std::uint32_t LegacyMember::request(RequestType type, std::vector<std::uint64_t> integers) {
    const Waiting waiting{next_seq_++, type, std::move(integers)};
    if (is_cluster_request(type)) {
        unanswered_.push_back(waiting);
        send_request(waiting);
    } else {
        local(waiting);
    }
    return waiting.seq;
}

void LegacyMember::send_request(const Waiting& waiting) {
    multicast({0, 0, 2, 0, waiting.seq, static_cast<std::uint32_t>(waiting.type), bytes_of(waiting.integers)});
}

/// Answered from its own copy, at once; some are multicast all the same.
void LegacyMember::local(const Waiting& waiting) {
    Reply reply{waiting.seq, waiting.type, 0, {}, {}};
    if (waiting.type == RequestType::in_sync && waiting.integers[0] >= sync_.size())
        reply.error = -EINVAL;
    else if (waiting.type == RequestType::in_sync)
        reply.integers = {sync_[waiting.integers[0]]};
    else if (waiting.type == RequestType::get_sync_count)
        reply.integers = {static_cast<std::uint64_t>(std::count(sync_.begin(), sync_.end(), true))};
    replies_.push_back(std::move(reply));
    if (waiting.type == RequestType::clear_region || waiting.type == RequestType::postsuspend) send_request(waiting);
}

std::vector<LegacyMember::Reply> LegacyMember::take_replies() {
    return std::exchange(replies_, {});
}

std::optional<LegacyMember::Reply> LegacyMember::reply_to(std::uint32_t seq) const {
    for (const Reply& reply : replies_)
        if (reply.seq == seq) return reply;
    return std::nullopt;
}

}  // namespace cmirror::test
