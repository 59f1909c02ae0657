#include "adapters/disk/linux_system_inspector.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "adapters/process/privileges.hpp"

namespace cmirror {
namespace {

namespace fs = std::filesystem;

bool file_names(const fs::path& path, const std::string& word) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);)
        if (line.find(word) != std::string::npos) return true;
    return false;
}

/// `name` with hyphens, as the module's file has it.
bool has_module(const std::string& release, std::string name) {
    const fs::path folder = fs::path("/lib/modules") / release;
    const auto file = "/" + name + ".ko";
    for (auto& c : name)
        if (c == '-') c = '_';
    std::error_code ignored;
    return fs::exists("/sys/module/" + name, ignored) || file_names(folder / "modules.builtin", file) ||
           file_names(folder / "modules.dep", file);
}

bool process_runs(const std::string& name) {
    std::error_code error;
    for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
        std::ifstream in(entry->path() / "comm");
        std::string comm;
        if (std::getline(in, comm) && comm == name) return true;
    }
    return false;
}

}  // namespace

SystemFacts LinuxSystemInspector::inspect() {
    utsname names{};
    ::uname(&names);
    std::error_code ignored;
    const auto rights = check_privileges();
    return {.kernel = names.release,
            .root = ::geteuid() == 0,
            .missing_rights = rights ? std::string{} : rights.error().text,
            .dm_mirror = has_module(names.release, "dm-mirror"),
            .dm_log_userspace = has_module(names.release, "dm-log-userspace"),
            .connector = fs::exists("/proc/net/connector", ignored),
            .corosync = process_runs("corosync")};
}

}  // namespace cmirror
