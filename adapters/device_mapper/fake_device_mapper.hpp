// Mapped devices in memory, for tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "messages/device_mapper.hpp"

namespace cmirror {

class FakeDeviceMapper final : public DeviceMapper {
  public:
    Result<std::vector<MappedMirror>, std::string> mirrors() override {
        std::vector<MappedMirror> all;
        for (const auto& [name, mirror] : devices)
            all.push_back(mirror);
        return all;
    }
    Result<std::string, std::string> status(const std::string& name) override {
        calls_for_status.push_back(name);
        const auto found = statuses.find(name);
        if (found == statuses.end()) return Failure<std::string>("it has none");
        return found->second;
    }
    Result<void, std::string> create(const MappedMirror& mirror) override {
        if (!failure.empty()) return Failure<std::string>(failure);
        calls.push_back("create " + mirror.name);
        if (!devices.emplace(mirror.name, mirror).second) return Failure<std::string>("it exists");
        return {};
    }
    Result<void, std::string> load(const MappedMirror& mirror) override {
        if (!failure.empty()) return Failure<std::string>(failure);
        calls.push_back("load " + mirror.name);
        loaded[mirror.name] = mirror.parameters;
        return {};
    }
    Result<void, std::string> suspend(const std::string& name) override {
        calls.push_back("suspend " + name);
        devices.at(name).suspended = true;
        return {};
    }
    Result<void, std::string> resume(const std::string& name) override {
        calls.push_back("resume " + name);
        auto& device = devices.at(name);
        device.suspended = false;
        if (const auto found = loaded.find(name); found != loaded.end()) device.parameters = found->second;
        loaded.erase(name);
        return {};
    }
    Result<void, std::string> remove(const std::string& name) override {
        calls.push_back("remove " + name);
        devices.erase(name);
        return {};
    }

    std::map<std::string, MappedMirror> devices;
    std::map<std::string, std::string> loaded;
    std::map<std::string, std::string> statuses;
    std::vector<std::string> calls;
    std::vector<std::string> calls_for_status;
    /// Of create() and load(); empty: they succeed.
    std::string failure;
};

}  // namespace cmirror
