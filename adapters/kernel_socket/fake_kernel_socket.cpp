#include "adapters/kernel_socket/fake_kernel_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace cmirror {

using Kind = KernelDatagram::Kind;

FakeKernelSocket::FakeKernelSocket(FakeDescriptors& descriptors)
    : descriptors_(descriptors), descriptor_(descriptors.open()) {}

FakeKernelSocket::~FakeKernelSocket() {
    descriptors_.close(descriptor_);
}

void FakeKernelSocket::arrive(Waiting waiting) {
    waiting_.push_back(std::move(waiting));
    descriptors_.set_readable(descriptor_, true);
}

void FakeKernelSocket::kernel_sends(Bytes frame) {
    arrive({{Kind::from_kernel, 0, 0}, std::move(frame)});
}
void FakeKernelSocket::someone_else_sends(Bytes frame) {
    arrive({{Kind::foreign, 0, 0}, std::move(frame)});
}
void FakeKernelSocket::overruns() {
    arrive({{Kind::overrun, 0, 0}, {}});
}
void FakeKernelSocket::receive_fails_once(int code) {
    arrive({{Kind::failed, 0, code}, {}});
}

void FakeKernelSocket::sends_fail(std::size_t count, int code) {
    failing_sends_ = count;
    send_code_ = code;
}

void FakeKernelSocket::closes() {
    closed_ = true;
    descriptors_.set_readable(descriptor_, true);
}

std::vector<FakeKernelSocket::Bytes> FakeKernelSocket::take_answers() {
    return std::exchange(answers_, {});
}

KernelDatagram FakeKernelSocket::receive(std::span<std::byte> buffer) {
    if (waiting_.empty()) return {closed_ ? Kind::closed : Kind::none, 0, 0};
    const auto first = std::move(waiting_.front());
    waiting_.pop_front();
    descriptors_.set_readable(descriptor_, !waiting_.empty() || closed_);
    auto datagram = first.datagram;
    datagram.size = std::min(buffer.size(), first.bytes.size());
    std::copy_n(first.bytes.begin(), datagram.size, buffer.begin());
    return datagram;
}

int FakeKernelSocket::send(std::span<const std::byte> frame) {
    if (failing_sends_ > 0) {
        --failing_sends_;
        return send_code_;
    }
    if (closed_) return ECONNREFUSED;
    answers_.emplace_back(frame.begin(), frame.end());
    return 0;
}

}  // namespace cmirror
