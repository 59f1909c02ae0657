#include "tests/support/kernel_stand_in.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "messages/invariant.hpp"
#include "tests/support/unix_address.hpp"

namespace cmirror::test {
namespace {

/// Before every CTR of a reconnect (spec/kernel.md, "Transport").
constexpr auto reconnect_pause = std::chrono::seconds{2};

bool is_lost_without_listener(RequestType type) {
    return type == RequestType::dtr || type == RequestType::presuspend || type == RequestType::postsuspend ||
           type == RequestType::resume;
}

}  // namespace

KernelStandIn::KernelStandIn(const std::string& daemon, const std::string& own, Clock::duration resend_after)
    : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      daemon_(daemon),
      own_(own),
      resend_after_(resend_after) {
    const auto address = unix_address(own_);
    ::unlink(own_.c_str());
    CMIRROR_INVARIANT(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

KernelStandIn::~KernelStandIn() {
    ::unlink(own_.c_str());
}

void KernelStandIn::use(const Uuid& uuid, Luid luid, const std::string& table) {
    uuid_ = uuid;
    luid_ = luid;
    table_ = table;
    for (const auto& [seq, waiting] : waiting_)
        past_[seq] = false;
    waiting_.clear();
    behind_.clear();
    reconnecting_ = false;
}

void KernelStandIn::ask(RequestType type, RequestPayload payload, Done done) {
    Waiting waiting{type, std::move(payload), std::move(done), {}, false};
    if (reconnecting_) return behind_.push_back(std::move(waiting));
    const std::uint32_t seq = next_seq_++;
    waiting_.emplace(seq, std::move(waiting));
    send(seq);
}

void KernelStandIn::send(std::uint32_t seq) {
    Waiting& waiting = waiting_.at(seq);
    waiting.due = Clock::now() + resend_after_;
    std::array<std::byte, kernel_frame_size_max> frame;
    const auto size = pack_kernel_request({seq, waiting.type, 2, luid_, uuid_, waiting.payload}, frame);
    const auto address = unix_address(daemon_);
    const auto sent = ::sendto(socket_.get(), frame.data(), size, MSG_DONTWAIT,
                               reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (sent >= 0) return;
    // Nobody listens. (That a request of a suspend or resume is lost then is not what is tested here: it is repeated.)
    if (waiting.type == RequestType::ctr || is_lost_without_listener(waiting.type))
        pause(waiting);
    else
        fall_behind(seq);
}

void KernelStandIn::pause(Waiting& waiting) {
    waiting.due = Clock::now() + reconnect_pause;
    waiting.to_come = true;
}

/// The log is unknown, or nobody is there: the request waits until the log was created again.
void KernelStandIn::fall_behind(std::uint32_t seq) {
    const auto found = waiting_.find(seq);
    behind_.push_back(std::move(found->second));
    waiting_.erase(found);
    past_.try_emplace(seq, false);
    if (!reconnecting_) reconnect();
}

void KernelStandIn::receive() {
    std::array<std::byte, 8192> frame;
    for (;;) {
        const auto size = ::recv(socket_.get(), frame.data(), frame.size(), MSG_DONTWAIT);
        if (size < 0) return;
        if (const auto reply = unpack_kernel_reply(std::span(frame).first(static_cast<std::size_t>(size))))
            take(*reply);
    }
}

void KernelStandIn::take(const UnpackedKernelReply& reply) {
    const auto found = waiting_.find(reply.seq);
    if (found == waiting_.end()) {
        const auto past = past_.find(reply.seq);
        // A late answer to what was sent again under another number is one answer all the same.
        if (past == past_.end())
            ++counters_.unknown_replies;
        else if (std::exchange(past->second, true) && reply.error != -EAGAIN)
            // A daemon that was killed just after an answer leaves a request that its successor has asked for again.
            ++counters_.repeated_replies;
        return;
    }
    if (reply.error == -EAGAIN) {
        ++counters_.asked_again;
        return send_again(reply.seq);
    }
    past_[reply.seq] = true;
    const auto type = found->second.type;
    if (reply.error == -ESRCH && type != RequestType::ctr && !is_lost_without_listener(type))
        return fall_behind(reply.seq);
    Waiting waiting = std::move(found->second);
    waiting_.erase(found);
    ++counters_.answered;
    KernelAnswer answer{reply.error, std::vector<std::uint64_t>(reply.data.size() / sizeof(std::uint64_t))};
    std::memcpy(answer.numbers.data(), reply.data.data(), answer.numbers.size() * sizeof(std::uint64_t));
    waiting.done(answer);
}

// The log is unknown: create it again, resume it, then repeat what had to wait.
void KernelStandIn::reconnect() {
    ++counters_.reconnects;
    const auto created = [this](const KernelAnswer& answer) {
        if (answer.error != 0) return reconnect();
        reconnecting_ = false;
        ask(RequestType::resume, {}, [this](const KernelAnswer&) {
            reconnecting_ = false;
            for (Waiting& waiting : std::exchange(behind_, {}))
                ask(waiting.type, std::move(waiting.payload), std::move(waiting.done));
        });
        reconnecting_ = true;
    };
    Waiting ctr{RequestType::ctr, ConstructorText{table_, true}, created, Clock::now() + reconnect_pause, true};
    waiting_.emplace(next_seq_++, std::move(ctr));
    reconnecting_ = true;
}

/// Under a new number, as the kernel does.
void KernelStandIn::send_again(std::uint32_t seq) {
    const std::uint32_t again = next_seq_++;
    waiting_.emplace(again, std::move(waiting_.at(seq)));
    waiting_.erase(seq);
    past_[seq] = false;
    send(again);
}

void KernelStandIn::tick() {
    std::vector<std::uint32_t> overdue;
    const auto now = Clock::now();
    for (const auto& [seq, waiting] : waiting_)
        if (now >= waiting.due) overdue.push_back(seq);
    for (const std::uint32_t seq : overdue) {
        counters_.resent += std::exchange(waiting_.at(seq).to_come, false) ? 0U : 1U;
        send_again(seq);
    }
}

std::string KernelStandIn::describe() const {
    std::string text = std::to_string(waiting_.size()) + " under way";
    for (const auto& [seq, waiting] : waiting_)
        text += " " + std::string(name_of(waiting.type)) + "#" + std::to_string(seq);
    return text + (reconnecting_ ? ", reconnecting" : "");
}

}  // namespace cmirror::test
