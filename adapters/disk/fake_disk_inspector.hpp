// Disks in memory, for tests.
#pragma once

#include <map>
#include <string>

#include "messages/disk_inspector.hpp"

namespace cmirror {

class FakeDiskInspector final : public DiskInspector {
  public:
    Result<DiskFacts, std::string> inspect(const std::string& path) override {
        const auto found = disks.find(path);
        if (found == disks.end()) return Failure<std::string>(path + ": cannot be opened");
        return found->second;
    }
    Result<void, std::string> wipe_log(const std::string& path) override {
        wiped.push_back(path);
        return {};
    }

    std::map<std::string, DiskFacts> disks;
    std::vector<std::string> wiped;
};

}  // namespace cmirror
