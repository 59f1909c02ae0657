// Control requests that a test makes without a socket.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "adapters/event_loop/fake_descriptors.hpp"
#include "messages/ports.hpp"

namespace cmirror {

class FakeControlSocket final : public ControlSocket {
  public:
    /// `descriptors` must live longer.
    explicit FakeControlSocket(FakeDescriptors& descriptors)
        : descriptors_(descriptors), descriptor_(descriptors.open()) {}
    ~FakeControlSocket() override { descriptors_.close(descriptor_); }

    void ask(ControlDatagram datagram) {
        waiting_.push_back(std::move(datagram));
        descriptors_.set_readable(descriptor_, true);
    }
    /// To whom, and what.
    std::vector<std::pair<std::string, std::string>> replies;

    int descriptor() const override { return descriptor_; }
    std::optional<ControlDatagram> receive() override {
        if (waiting_.empty()) return std::nullopt;
        auto datagram = std::move(waiting_.front());
        waiting_.pop_front();
        descriptors_.set_readable(descriptor_, !waiting_.empty());
        return datagram;
    }
    void reply(const std::string& to, std::string_view text) override { replies.emplace_back(to, text); }

  private:
    FakeDescriptors& descriptors_;
    int descriptor_;
    std::deque<ControlDatagram> waiting_;
};

}  // namespace cmirror
