#include "adapters/process/privileges.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>

namespace cmirror {
namespace {

bool is_effective(unsigned capability) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
    return (data[capability / 32].effective >> (capability % 32) & 1U) != 0;
}

/// In any other user namespace capabilities count for that namespace only: the connector asks for the initial one's.
bool in_initial_user_namespace() {
    std::ifstream map{"/proc/self/uid_map"};
    std::uint64_t inside = 0, outside = 0, count = 0;
    // Without the file there are no user namespaces.
    if (!(map >> inside >> outside >> count)) return true;
    return inside == 0 && outside == 0 && count == UINT32_MAX;
}

}  // namespace

Result<void, MissingPrivileges> check_privileges() {
    MissingPrivileges missing{!is_effective(CAP_NET_ADMIN), !is_effective(CAP_SYS_ADMIN), {}};
    if (!missing.net_admin && !missing.sys_admin && in_initial_user_namespace()) return {};
    if (!missing.net_admin && !missing.sys_admin) {
        missing.net_admin = missing.sys_admin = true;
        missing.text = "CAP_NET_ADMIN and CAP_SYS_ADMIN count in a user namespace only: run in the initial namespaces";
        return Failure<MissingPrivileges>{missing};
    }
    std::string names = missing.net_admin ? "CAP_NET_ADMIN" : "";
    if (missing.sys_admin) names += (names.empty() ? "" : " and ") + std::string{"CAP_SYS_ADMIN"};
    missing.text = names + (missing.net_admin && missing.sys_admin ? " are" : " is") +
                   " missing: run as root, or grant what is missing (systemd: AmbientCapabilities=)";
    return Failure<MissingPrivileges>{missing};
}

}  // namespace cmirror
