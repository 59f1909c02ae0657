// Keeps what it is told for a test to look at.
#pragma once

#include <string>
#include <vector>

#include "messages/ports.hpp"

namespace cmirror {

/// Not for use by several threads at once.
class FakeServiceManager final : public ServiceManager {
  public:
    void ready() override { told.emplace_back("ready"); }
    void status(std::string_view status) override { told.emplace_back(status); }
    void stopping() override { told.emplace_back("stopping"); }

    std::vector<std::string> told;
};

}  // namespace cmirror
