// Sequences of what one mirror log hears: requests of its kernel, messages of members that may say anything, members
// that come and go, quorum, the log device's answers, time. It answers each request once at most, and what it says,
// keeps and writes is well formed.
#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/invariant.hpp"
#include "messages/wire_cluster.hpp"
#include "messages/wire_kernel.hpp"
#include "messages/wire_state_file.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/fuzz/log_core_messages.hpp"

namespace cmirror::mirror_log {
namespace {

constexpr std::uint64_t device_size = 8192;
constexpr int steps_max = 400;
constexpr Luid luid = 0x1000;

const Uuid& uuid() {
    static const Uuid the_uuid = *Uuid::from_text("LVM-test");
    return the_uuid;
}

class World {
  public:
    explicit World(Input& input) : input_(input), messages_(input), core_(config()) {
        disk_ = input.flag();
        std::string arguments = disk_ ? "1040 clustered-disk 8:0 8" : "1040 clustered-core 8";
        if (input.flag()) arguments += " nosync";
        if (input.flag()) arguments += " block_on_error";
        const bool reconnect = input.flag();
        ask(RequestType::ctr, ConstructorText{arguments, reconnect});
        if (disk_) answer_device();
        see_quorum(true, {1, 2, 3});
        ask(RequestType::resume, {});
    }

    void step() {
        switch (input_.below(16)) {
            case 0:
            case 1:
            case 2:
                return ask_something();
            case 3:
            case 4:
            case 5:
                return deliver(1 + input_.below(8));
            case 6:
            case 7:
            case 8:
                return say_something();
            case 9:
                return member_changes();
            case 10:
                return see_quorum(input_.flag(), input_.flag() ? std::vector<NodeId>{1, 2, 3} : std::vector<NodeId>{2});
            case 11:
            case 12:
                return let_time_pass(std::chrono::milliseconds{input_.below(256) * 50});
            case 13:
                return answer_device();
            case 14:
                return deliver(64);
            default:
                return rare();
        }
    }

  private:
    using Event = std::variant<Membership, std::pair<MemberId, ClusterMessage>>;

    LogConfig config() {
        LogConfig made{uuid(), luid, {1}, input_.number(2), {}, {}};
        made.settings.warm_marks_max = 8;
        made.settings.fenced_after = std::chrono::seconds{input_.below(2) * 20};
        if (input_.flag()) {
            KeptState kept{{uuid(), luid, {1}, 8, region_count}, {}, {}, {}, {}};
            kept.standing.ring = input_.below(4);
            kept.standing.presuspended = input_.flag();
            if (input_.flag()) kept.standing.copying = input_.below(region_count);
            for (RegionWords* words : {&kept.live, &kept.in_sync, &kept.reached})
                *words = {input_.number(), input_.number(), input_.number() & 3U};
            made.kept = std::move(kept);
        }
        return made;
    }

    void ask_something() {
        const auto type = static_cast<RequestType>(1 + input_.below(17));
        ask(type, messages_.payload_of(type));
    }

    void ask(RequestType type, RequestPayload payload) {
        if (core_.ended()) return;
        const KernelRequest request{next_seq_++, type, 2, luid, uuid(), std::move(payload)};
        open_[request.seq] = type;
        Effects effects;
        core_.request(request, now_, effects);
        carry_out(effects);
    }

    /// Events of the group, in order.
    void deliver(unsigned count) {
        for (; count > 0 && !inbox_.empty() && !core_.ended(); --count) {
            const Event event = std::move(inbox_.front());
            inbox_.pop_front();
            Effects effects;
            if (const auto* membership = std::get_if<Membership>(&event))
                core_.membership(*membership, now_, effects);
            else
                core_.delivered(std::get<1>(event).first, std::get<1>(event).second, now_, effects);
            carry_out(effects);
        }
    }

    void push(MemberId sender, const ClusterMessage& message) {
        // What a gateway would refuse does not get here.
        const auto frame = pack_cluster_message(message, uuid());
        if (auto read = unpack_cluster_message(frame, uuid())) inbox_.emplace_back(std::pair{sender, std::move(*read)});
    }

    void say_something() {
        if (others_.empty()) return member_changes();
        const MemberId sender = others_[input_.below(static_cast<unsigned>(others_.size()))];
        if (joined_) push(sender, messages_.message_of(sender, disk_));
    }

    void member_changes() {
        const MemberId who{input_.below(4), 30 + input_.below(2)};
        const auto found = std::find(others_.begin(), others_.end(), who);
        Membership change{self, {}, {}, {}};
        if (found != others_.end()) {
            others_.erase(found);
            change.left.push_back({who, static_cast<ChangeReason>(2 + input_.below(4))});
        } else {
            others_.push_back(who);
            change.joined.push_back({who, input_.flag() ? ChangeReason::join : ChangeReason::node_up});
            messages_.forget(who);
        }
        if (!joined_) return;
        change.members = members();
        inbox_.emplace_back(std::move(change));
    }

    std::vector<MemberId> members() const {
        std::vector<MemberId> all = others_;
        all.push_back(self);
        std::sort(all.begin(), all.end());
        return all;
    }

    void see_quorum(bool quorate, const std::vector<NodeId>& nodes) {
        if (core_.ended()) return;
        Effects effects;
        core_.quorum({quorate, next_ring_++, nodes}, now_, effects);
        carry_out(effects);
    }

    void let_time_pass(Instant time) {
        const Instant end = now_ + time;
        for (int i = 0; i < 50 && wake_ && *wake_ <= end && !core_.ended(); ++i) {
            now_ = std::max(now_, *wake_);
            wake_.reset();
            Effects effects;
            core_.timer(now_, effects);
            carry_out(effects);
        }
        now_ = std::max(now_, end);
    }

    /// The oldest thing that the device was asked.
    void answer_device() {
        if (device_.empty() || core_.ended()) return;
        const Effect asked = std::move(device_.front());
        device_.pop_front();
        const std::uint8_t how = input_.byte();
        const Failure<DeviceError> failed(DeviceError{5, "it failed"});
        Effects effects;
        if (std::holds_alternative<OpenEffect>(asked)) {
            if (how % 16 == 15)
                core_.device_opened(failed, now_, effects);
            else
                core_.device_opened(device_size, now_, effects);
        } else if (std::holds_alternative<ReadEffect>(asked)) {
            DeviceImage image{how % 4 != 0, 2, how % 3 == 0 ? input_.number(2) : region_count, {}};
            image.words.resize((std::min<std::uint64_t>(image.region_count, region_count) + 31) / 32);
            for (std::uint32_t& word : image.words)
                word = static_cast<std::uint32_t>(input_.number(4));
            if (how % 16 == 15)
                core_.device_read(failed, now_, effects);
            else
                core_.device_read(image, now_, effects);
        } else if (how % 8 == 7) {
            core_.device_written(std::get<WriteEffect>(asked).write, failed, now_, effects);
        } else {
            core_.device_written(std::get<WriteEffect>(asked).write, {}, now_, effects);
        }
        carry_out(effects);
    }

    void rare() {
        if (core_.ended()) return;
        Effects effects;
        switch (input_.below(4)) {
            case 0:
                inbox_.clear();
                joined_ = false;
                core_.cluster_lost(now_, effects);
                carry_out(effects);
                if (!core_.ended() && input_.flag()) join();
                return;
            case 1:
                core_.superseded(now_, effects);
                return carry_out(effects);
            default:
                core_.node_gone(input_.below(5), now_, effects);
                return carry_out(effects);
        }
    }

    void join() {
        if (joined_) return;
        joined_ = true;
        if (!left_behind_.state.empty()) core_.inherit(std::exchange(left_behind_, {}));
        inbox_.clear();
        inbox_.emplace_back(Membership{self, members(), {}, {{self, ChangeReason::join}}});
    }

    void check_reply(const KernelReply& reply) {
        const auto asked = open_.find(reply.seq);
        CMIRROR_INVARIANT(asked != open_.end() && asked->second == reply.type && reply.luid == luid);
        open_.erase(asked);
        CMIRROR_INVARIANT(reply.error <= 0);
        std::array<std::byte, kernel_frame_size_max> frame{};
        pack_kernel_reply(reply, frame);
    }

    void check_patches(const KeepEffect& keep) {
        if (keep.begin) file_size_ = keep.file_size;
        for (const StatePatch& patch : keep.patches)
            CMIRROR_INVARIANT(patch.offset + patch.bytes.size() <= file_size_);
    }

    static void check_blocks(const WriteEffect& write) {
        for (const DeviceBlock& block : write.blocks)
            CMIRROR_INVARIANT(block.offset % device_block_size == 0 &&
                              block.offset + block.bytes.size() <= device_size);
    }

    void carry_out(Effects& effects) {
        for (Effect& effect : effects) {
            if (const auto* reply = std::get_if<KernelReply>(&effect)) check_reply(*reply);
            if (const auto* keep = std::get_if<KeepEffect>(&effect)) check_patches(*keep);
            if (const auto* wake = std::get_if<WakeEffect>(&effect)) wake_ = wake->at;
            if (std::holds_alternative<JoinEffect>(effect)) join();
            if (const auto* leave = std::get_if<LeaveEffect>(&effect)) {
                if (!leave->left_behind.state.empty()) left_behind_ = leave->left_behind;
                joined_ = false;
                inbox_.clear();
            }
            if (const auto* send = std::get_if<SendEffect>(&effect); send != nullptr && joined_) {
                if (const auto* hello = std::get_if<Hello>(&send->message)) messages_.own_token(hello->token);
                push(self, send->message);
            }
            if (const auto* write = std::get_if<WriteEffect>(&effect)) check_blocks(*write);
            if (std::holds_alternative<OpenEffect>(effect) || std::holds_alternative<ReadEffect>(effect) ||
                std::holds_alternative<WriteEffect>(effect))
                device_.push_back(std::move(effect));
        }
        static_cast<void>(core_.status());
    }

    Input& input_;
    InputMessages messages_;
    MirrorLogCore core_;
    bool disk_ = false;
    bool joined_ = false;
    LeftBehind left_behind_;
    Instant now_{std::chrono::seconds{1000}};
    std::optional<Instant> wake_;
    std::deque<Event> inbox_;
    std::deque<Effect> device_;
    std::vector<MemberId> others_;
    std::map<std::uint32_t, RequestType> open_;
    std::uint32_t next_seq_ = 1;
    std::uint64_t next_ring_ = 1;
    std::uint64_t file_size_ = 0;
};

}  // namespace
}  // namespace cmirror::mirror_log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cmirror;
    fuzz::Input input(data, size);
    mirror_log::World world(input);
    for (int i = 0; i < mirror_log::steps_max && !input.empty(); ++i)
        world.step();
    return 0;
}
