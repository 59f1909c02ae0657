#include "adapters/process/privileges.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
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

constexpr std::array kept{CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_IPC_LOCK, CAP_SYS_NICE};

bool is_kept(unsigned capability) {
    return std::ranges::any_of(kept, [capability](int one) { return static_cast<unsigned>(one) == capability; });
}

Failure<std::string> failure(const char* what) {
    return Failure<std::string>{std::string{"cannot give up "} + what + ": " + std::strerror(errno)};
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

Result<void, std::string> drop_privileges() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("the rights of programs");
    for (unsigned capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
        // Without CAP_SETPCAP the bounding set stays; with no new rights it bounds nothing any more.
        if (!is_kept(capability) && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM)
            return failure("the right to get rights");
    }
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return failure("inherited rights");
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return failure("rights that are not known");
    for (unsigned word = 0; word < data.size(); ++word) {
        std::uint32_t mask = 0;
        for (unsigned bit = 0; bit < 32; ++bit)
            if (is_kept(word * 32 + bit)) mask |= 1U << bit;
        data[word].permitted &= mask;
        data[word].effective &= mask;
        data[word].inheritable = 0;
    }
    if (::syscall(SYS_capset, &header, data.data()) != 0) return failure("rights");
    return {};
}

}  // namespace cmirror
