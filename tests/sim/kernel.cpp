#include "tests/sim/kernel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "messages/wire_kernel.hpp"
#include "tests/sim/daemon.hpp"
#include "tests/sim/mapped_device.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

namespace {

constexpr Instant resend_after = 15s;
constexpr Instant ask_recovering_every = 250ms;

std::uint64_t integer_at(std::span<const std::byte> data, std::size_t offset) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8 && offset + i < data.size(); ++i)
        value |= std::to_integer<std::uint64_t>(data[offset + i]) << (8 * i);
    return value;
}

}  // namespace

Kernel::Kernel(Node& node)
    : node_(node), world_(node.world), next_luid_(0xffff880000000000U + world_.load.below(1U << 20U) * 0x1000) {}

Kernel::~Kernel() = default;

Random& Kernel::random() {
    return world_.load;
}

std::uint64_t Kernel::park(std::coroutine_handle<> task) {
    const std::uint64_t number = world_.new_number();
    parked_.emplace(number, task);
    return number;
}

void Kernel::wake(std::uint64_t number) {
    const auto found = parked_.find(number);
    if (found == parked_.end()) return;
    const auto task = found->second;
    parked_.erase(found);
    task.resume();
}

void Kernel::wake_in(Instant time, std::uint64_t number) {
    // The kernel may be gone by then; numbers are never used again.
    world_.after(time, [node = &node_, number] {
        if (node->kernel) node->kernel->wake(number);
    });
}

Luid Kernel::new_luid() {
    if (free_luids_.empty() || random().chance(0.5)) return next_luid_ += 0x1000;
    const Luid luid = free_luids_.back();
    free_luids_.pop_back();
    return luid;
}

bool Kernel::may_ask_recovering() {
    if (world_.now() < ask_again_) return false;
    ask_again_ = world_.now() + ask_recovering_every;
    return true;
}

Instant Kernel::oldest_request() const {
    Instant oldest{0};
    for (const auto& [seq, waiting] : waiting_)
        if (oldest == Instant{0} || waiting.since < oldest) oldest = waiting.since;
    return oldest;
}

bool Kernel::send(const KernelRequest& request, bool fits, unsigned& copies) {
    if (!node_.daemon && !node_.legacy_daemon) return false;
    if (!fits && world_.strikes(Fault::request_lost, node_)) {
        if (node_.daemon) node_.daemon->socket().overruns();
        return false;
    }
    copies = world_.strikes(Fault::request_twice, node_) ? 2 : 1;
    if (node_.legacy_daemon) {
        world_.hand_to_legacy(node_, request, copies);
        return true;
    }
    std::array<std::byte, kernel_frame_size_max> buffer{};
    const std::size_t size = pack_kernel_request(request, buffer);
    const std::vector<std::byte> frame(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    for (unsigned i = 0; i < copies; ++i)
        node_.daemon->socket().kernel_sends(frame);
    world_.mix_digest(request.seq, static_cast<std::uint64_t>(request.type));
    return true;
}

void Kernel::AwaitReply::await_suspend(std::coroutine_handle<> task) {
    const std::uint64_t number = kernel.park(task);
    kernel.waiting_.at(seq).parked = number;
    kernel.wake_in(resend_after, number);
}

bool Kernel::AwaitReply::await_resume() const {
    return kernel.waiting_.at(seq).answered;
}

Co<Answer> Kernel::consult(KernelRequest request, std::size_t room, bool fits) {
    while (true) {
        request.seq = next_seq_++;
        unsigned copies = 1;
        world_.count("requests");
        if (!send(request, fits, copies)) {
            if (world_.tracing()) world_.tell(node_, world_.describe(request) + ": nobody listens");
            co_return Answer{.error = -ESRCH, .unheard = true};
        }
        if (world_.tracing()) world_.tell(node_, world_.describe(request));
        waiting_.emplace(request.seq, Waiting{.request = request, .room = room, .since = world_.now(), .answer = {}});
        world_.asked(node_, request, copies, room);
        const bool answered = co_await AwaitReply{*this, request.seq};
        const Waiting done = std::move(waiting_.extract(request.seq).mapped());
        if (!answered) {
            world_.count("path: request sent again after 15 s");
            continue;
        }
        if (done.answer.error != -EAGAIN) co_return done.answer;
    }
}

void Kernel::frame_from_daemon(std::vector<std::byte> frame) {
    const auto reply = unpack_kernel_reply(frame);
    if (!reply) return world_.violation("answers", node_.id, "a reply that the kernel cannot read");
    world_.mix_digest(reply->seq, static_cast<std::uint64_t>(static_cast<std::int64_t>(reply->error)));
    if (world_.is_garbage(reply->seq)) return;
    world_.replied(node_, *reply);
    const auto found = waiting_.find(reply->seq);
    if (found == waiting_.end()) return world_.count("path: late answer");
    Waiting& waiting = found->second;
    Answer answer{.error = reply->error, .size = reply->data.size()};
    if (answer.size > waiting.room) return;
    answer.first = integer_at(reply->data, 0);
    answer.second = integer_at(reply->data, 8);
    world_.answered(node_, waiting.request, answer);
    if (world_.strikes(Fault::reply_lost, node_)) return;
    const bool slow = world_.load.chance(world_.profile.slow_reply);
    const Instant delay = world_.load.around(slow ? Instant{200ms} : world_.profile.to_reply);
    const Instant effect = world_.now() + delay;
    if (effect < last_effect_) world_.count("path: a reply overtakes another");
    last_effect_ = std::max(last_effect_, effect);
    world_.after(delay, [node = &node_, kernel = this, seq = reply->seq, answer] {
        if (node->kernel.get() != kernel) return;
        const auto still = kernel->waiting_.find(seq);
        if (still == kernel->waiting_.end() || still->second.answered) return;
        still->second.answered = true;
        still->second.answer = answer;
        kernel->wake(still->second.parked);
    });
}

}  // namespace cmirror::sim
