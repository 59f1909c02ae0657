// libdevmapper, with udev's cookies: a call that makes or removes a device returns when its node is there or gone.
#pragma once

#include "messages/device_mapper.hpp"

namespace cmirror {

class LinuxDeviceMapper final : public DeviceMapper {
  public:
    LinuxDeviceMapper();

    Result<std::vector<MappedMirror>, std::string> mirrors() override;
    Result<std::string, std::string> status(const std::string& name) override;
    Result<void, std::string> create(const MappedMirror& mirror) override;
    Result<void, std::string> load(const MappedMirror& mirror) override;
    Result<void, std::string> suspend(const std::string& name) override;
    Result<void, std::string> resume(const std::string& name) override;
    Result<void, std::string> remove(const std::string& name) override;
};

}  // namespace cmirror
