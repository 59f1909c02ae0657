// What /proc tells of a process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace cmirror::bench {

/// A field of a file in /proc/PID, e.g. "VmRSS:" of status, as a number; 0 if there is none.
inline std::uint64_t field_of(const std::filesystem::path& path, const std::string& name) {
    std::ifstream file{path};
    std::string line;
    while (std::getline(file, line)) {
        std::istringstream words{line};
        std::string key;
        std::uint64_t value = 0;
        if (words >> key >> value && key == name) return value;
    }
    return 0;
}

inline std::filesystem::path folder_of(pid_t process) {
    return "/proc/" + std::to_string(process);
}

inline double resident_mib(pid_t process) {
    return static_cast<double>(field_of(folder_of(process) / "status", "VmRSS:")) / 1024;
}
/// Of the locked mappings, what is in memory; with MCL_ONFAULT a mapping counts as locked before it is.
inline double locked_mib(pid_t process) {
    return static_cast<double>(field_of(folder_of(process) / "smaps_rollup", "Locked:")) / 1024;
}

/// Of all threads, since they began.
struct Activity {
    double cpu_s = 0;
    std::uint64_t wakeups = 0;
};

inline Activity activity_of(pid_t process) {
    Activity all;
    std::error_code ignored;
    for (const auto& task : std::filesystem::directory_iterator{folder_of(process) / "task", ignored}) {
        std::uint64_t nanoseconds = 0;
        std::ifstream{task.path() / "schedstat"} >> nanoseconds;
        all.cpu_s += static_cast<double>(nanoseconds) / 1e9;
        all.wakeups += field_of(task.path() / "status", "voluntary_ctxt_switches:");
    }
    return all;
}

}  // namespace cmirror::bench
