// systemd, told by sd_notify(3); without it the calls do nothing.
#pragma once

#include "messages/ports.hpp"

namespace cmirror {

class SystemdManager final : public ServiceManager {
  public:
    void ready() override;
    void status(std::string_view status) override;
    void stopping() override;
};

}  // namespace cmirror
