// A recorded session as its kernels saw it: what each asked, in order, and what it was told.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "messages/kernel_payload.hpp"
#include "messages/wire_cluster.hpp"
#include "tests/golden/golden_data.hpp"

namespace cmirror::golden {

/// One request of a kernel. RESUME and POSTSUSPEND were told nothing that was recorded.
struct RecordedRequest {
    NodeId node = 0;
    RequestType type = RequestType::ctr;
    RequestPayload payload;
    /// As the session names it, e.g. "n1 mark 2".
    std::string label;
    std::int32_t error = 0;
    std::vector<std::byte> answer;
};

class RecordedSession {
  public:
    /// `name` is that of the files without their suffix.
    explicit RecordedSession(const std::string& name) {
        read_frames(name);
        auto file = open_recorded(name + ".replies");
        for (std::string line; std::getline(file, line);)
            add(line);
        while (next_ < frames_.size())
            take_frame();
    }
    const std::vector<RecordedRequest>& requests() const { return requests_; }

  private:
    static constexpr std::uint32_t response_flag = 0x1000;
    static constexpr std::uint32_t checkpoint_ready = 21;
    using Frame = std::pair<NodeId, LegacyFrame>;

    static RequestType type_of(const std::string& verb) {
        using enum RequestType;
        static const std::map<std::string, RequestType> types{{"get_resync_work", get_resync_work},
                                                              {"set_region_sync", set_region_sync},
                                                              {"mark", mark_region},
                                                              {"clear", clear_region},
                                                              {"flush", flush},
                                                              {"get_sync_count", get_sync_count},
                                                              {"is_remote_recovering", is_remote_recovering},
                                                              {"is_clean", is_clean},
                                                              {"in_sync", in_sync},
                                                              {"status_info", status_info},
                                                              {"status_table", status_table},
                                                              {"get_region_size", get_region_size}};
        return types.at(verb);
    }
    /// Requests that the field answers without a multicast: no frame tells of them.
    static bool local(RequestType type) {
        using enum RequestType;
        return type == get_sync_count || type == in_sync || type == status_table || type == get_region_size;
    }

    void read_frames(const std::string& name) {
        const Uuid group = *Uuid::from_text("LVM-golden01");
        for (const RecordedFrame& recorded : recorded_frames(name + ".frames")) {
            const auto message = unpack_cluster_message(recorded.bytes, group);
            const auto& frame = std::get<LegacyFrame>(*message);
            if (frame.type == checkpoint_ready) continue;
            (frame.type & response_flag ? responses_ : frames_).emplace_back(recorded.node, frame);
        }
    }

    /// One line of the replies: "n<node> <verb> ...: error <number> data <hex>" or "...: '<text>'".
    void add(const std::string& line) {
        const std::size_t colon = line.find(line.find(": '") == std::string::npos ? ": error" : ": '");
        RecordedRequest request;
        request.label = line.substr(0, colon);
        request.node = static_cast<NodeId>(std::stoul(request.label.substr(1)));
        std::istringstream words(request.label.substr(request.label.find(' ')));
        std::string verb;
        RegionNumber region = 0;
        words >> verb >> region;
        request.type = type_of(verb);
        read_answer(line.substr(colon + 2), request);
        if (local(request.type)) {
            while (!resumed_.contains(request.node))
                take_frame();
            if (request.type == RequestType::in_sync) request.payload = region;
            requests_.push_back(std::move(request));
            return;
        }
        while (is_life(frames_.at(next_).second))
            take_frame();
        const auto& [node, frame] = frames_[next_++];
        if (node != request.node || frame.type != static_cast<std::uint32_t>(request.type))
            throw std::runtime_error("frames and replies do not match: " + request.label);
        request.payload = *unpack_request_payload(request.type, frame.data, {});
        check_response(node, frame, request);
        requests_.push_back(std::move(request));
    }

    static void read_answer(const std::string& text, RecordedRequest& request) {
        if (text.front() == '\'') {
            for (const char c : text.substr(1, text.size() - 2))
                request.answer.push_back(static_cast<std::byte>(c));
            return;
        }
        std::istringstream words(text);
        std::string word;
        words >> word >> request.error >> word;
        while (words >> word)
            request.answer.push_back(from_hex(word).at(0));
    }

    static bool is_life(const LegacyFrame& frame) {
        return frame.type == static_cast<std::uint32_t>(RequestType::resume) ||
               frame.type == static_cast<std::uint32_t>(RequestType::postsuspend);
    }

    void take_frame() {
        const auto& [node, frame] = frames_.at(next_++);
        if (!is_life(frame)) throw std::runtime_error("a request without a reply");
        const auto type = static_cast<RequestType>(frame.type);
        if (type == RequestType::resume) resumed_[node] = true;
        requests_.push_back({node, type, {}, "n" + std::to_string(node) + " " + std::string(name_of(type)), 0, {}});
    }

    /// What the server multicast is what the kernel was told. A CLEAR has no response.
    void check_response(NodeId node, const LegacyFrame& frame, const RecordedRequest& request) const {
        if (request.type == RequestType::clear_region) return;
        for (const auto& [server, response] : responses_) {
            if (response.originator != node || response.seq != frame.seq) continue;
            if (response.type != (frame.type | response_flag)) continue;
            if (response.error == request.error && response.data == request.answer) return;
        }
        throw std::runtime_error("no response is what the kernel was told: " + request.label);
    }

    std::vector<Frame> frames_;
    std::vector<Frame> responses_;
    std::size_t next_ = 0;
    std::map<NodeId, bool> resumed_;
    std::vector<RecordedRequest> requests_;
};

}  // namespace cmirror::golden
