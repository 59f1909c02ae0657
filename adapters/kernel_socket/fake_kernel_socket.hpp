// A kernel's socket in this process: tests say what arrives and see what was answered.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "adapters/event_loop/fake_descriptors.hpp"
#include "messages/ports.hpp"

namespace cmirror {

class FakeKernelSocket final : public KernelSocket {
  public:
    using Bytes = std::vector<std::byte>;

    /// `descriptors` must live longer.
    explicit FakeKernelSocket(FakeDescriptors& descriptors);
    ~FakeKernelSocket() override;

    // What happens on the other side.
    void kernel_sends(Bytes frame);
    void someone_else_sends(Bytes frame);
    /// The receive buffer was full once.
    void overruns();
    void receive_fails_once(int code);
    /// The next `count` calls of send fail with `code`.
    void sends_fail(std::size_t count, int code);
    /// Gone for good: every later receive says so.
    void closes();

    /// What was sent to the kernel since the last call, oldest first.
    std::vector<Bytes> take_answers();

    int descriptor() const override { return descriptor_; }
    KernelDatagram receive(std::span<std::byte> buffer) override;
    int send(std::span<const std::byte> frame) override;

  private:
    struct Waiting {
        KernelDatagram datagram;
        Bytes bytes;
    };

    void arrive(Waiting waiting);

    FakeDescriptors& descriptors_;
    int descriptor_;
    std::deque<Waiting> waiting_;
    std::vector<Bytes> answers_;
    std::size_t failing_sends_ = 0;
    int send_code_ = 0;
    bool closed_ = false;
};

}  // namespace cmirror
