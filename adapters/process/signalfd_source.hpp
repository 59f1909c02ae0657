// Signals as something to be read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

class SignalfdSource final : public SignalSource {
  public:
    /// Blocks `signals` in the calling thread and in all that it starts later: call it before any other thread exists.
    /// They stay blocked.
    static Result<std::unique_ptr<SignalfdSource>, std::string> open(const std::vector<int>& signals);

    int descriptor() const override { return descriptor_.get(); }
    std::optional<int> next() override;

  private:
    explicit SignalfdSource(UniqueFd descriptor) : descriptor_(std::move(descriptor)) {}

    UniqueFd descriptor_;
};

}  // namespace cmirror
