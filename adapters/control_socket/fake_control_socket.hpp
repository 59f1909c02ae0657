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

    void ask(ControlQuestion question) {
        waiting_.push_back(std::move(question));
        descriptors_.set_readable(descriptor_, true);
    }
    /// To whom, and what.
    std::vector<std::pair<AskerId, std::string>> replies;

    int descriptor() const override { return descriptor_; }
    std::optional<ControlQuestion> receive() override {
        if (waiting_.empty()) return std::nullopt;
        auto question = std::move(waiting_.front());
        waiting_.pop_front();
        descriptors_.set_readable(descriptor_, !waiting_.empty());
        return question;
    }
    void reply(AskerId asker, std::string text) override { replies.emplace_back(asker, std::move(text)); }

  private:
    FakeDescriptors& descriptors_;
    int descriptor_;
    std::deque<ControlQuestion> waiting_;
};

}  // namespace cmirror
