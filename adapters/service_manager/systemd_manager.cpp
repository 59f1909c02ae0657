#include "adapters/service_manager/systemd_manager.hpp"

#include <systemd/sd-daemon.h>

#include <string>

namespace cmirror {

void SystemdManager::ready() {
    ::sd_notify(0, "READY=1");
}

void SystemdManager::status(std::string_view status) {
    ::sd_notify(0, ("STATUS=" + std::string(status)).c_str());
}

void SystemdManager::stopping() {
    ::sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}

}  // namespace cmirror
