// Signals that a test sends without sending any.
#pragma once

#include <deque>

#include "adapters/event_loop/fake_descriptors.hpp"
#include "messages/ports.hpp"

namespace cmirror {

class FakeSignalSource final : public SignalSource {
  public:
    /// `descriptors` must live longer.
    explicit FakeSignalSource(FakeDescriptors& descriptors)
        : descriptors_(descriptors), descriptor_(descriptors.open()) {}
    ~FakeSignalSource() override { descriptors_.close(descriptor_); }

    void raise(int signal) {
        waiting_.push_back(signal);
        descriptors_.set_readable(descriptor_, true);
    }

    int descriptor() const override { return descriptor_; }
    std::optional<int> next() override {
        if (waiting_.empty()) return std::nullopt;
        const int signal = waiting_.front();
        waiting_.pop_front();
        descriptors_.set_readable(descriptor_, !waiting_.empty());
        return signal;
    }

  private:
    FakeDescriptors& descriptors_;
    int descriptor_;
    std::deque<int> waiting_;
};

}  // namespace cmirror
