#include "adapters/device_mapper/linux_device_mapper.hpp"

#include <fcntl.h>
#include <libdevmapper.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

#include "adapters/unique_fd.hpp"

namespace cmirror {
namespace {

struct EndTask {
    void operator()(dm_task* task) const { dm_task_destroy(task); }
};
using Task = std::unique_ptr<dm_task, EndTask>;

/// What the library said last: it tells reasons to a callback only.
std::string& last_words() {
    static std::string words;
    return words;
}

void note_last_words(int level, const char*, int, int, const char* format, ...) {
    // As syslog's priorities; bits above are the library's own.
    constexpr int level_mask = 7;
    if ((level & level_mask) > LOG_WARNING) return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    last_words() = text;
}

Failure<std::string> failure(const std::string& what) {
    const std::string words = last_words().empty() ? std::strerror(errno) : last_words();
    if (::geteuid() != 0) return Failure<std::string>(what + ": run this as root (" + words + ")");
    const UniqueFd driver{::open("/dev/mapper/control", O_RDWR | O_CLOEXEC)};
    if (!driver.is_open())
        return Failure<std::string>(what + ": the kernel's device mapper is not loaded, try \"modprobe dm_mod\" (" +
                                    words + ")");
    return Failure<std::string>(what + ": " + words);
}

Task make_task(int type, const std::string& name) {
    last_words().clear();
    Task task{dm_task_create(type)};
    if (task && !name.empty() && dm_task_set_name(task.get(), name.c_str()) == 0) task.reset();
    return task;
}

/// Runs a task that changes device nodes, and waits for udev to have followed.
bool run_with_udev(dm_task* task) {
    std::uint32_t cookie = 0;
    if (dm_task_set_cookie(task, &cookie, 0) == 0) return false;
    const bool done = dm_task_run(task) != 0;
    // Also after a failure: the cookie is a semaphore that has to go.
    return (dm_udev_wait(cookie) != 0) && done;
}

bool add_table(dm_task* task, const MappedMirror& mirror) {
    return dm_task_add_target(task, 0, mirror.sectors, "mirror", mirror.parameters.c_str()) != 0;
}

/// Nothing if the device is gone, or no cluster mirror.
bool describe(const std::string& name, MappedMirror& out) {
    const auto task = make_task(DM_DEVICE_TABLE, name);
    dm_info info{};
    if (!task || dm_task_run(task.get()) == 0 || dm_task_get_info(task.get(), &info) == 0 || info.exists == 0)
        return false;
    std::uint64_t start = 0;
    char* type = nullptr;
    char* parameters = nullptr;
    const void* next = dm_get_next_target(task.get(), nullptr, &start, &out.sectors, &type, &parameters);
    if (next != nullptr || type == nullptr || parameters == nullptr || std::strcmp(type, "mirror") != 0) return false;
    if (!std::string_view(parameters).starts_with("userspace ")) return false;
    const char* uuid = dm_task_get_uuid(task.get());
    out.name = name;
    out.uuid = uuid == nullptr ? "" : uuid;
    out.parameters = parameters;
    out.suspended = info.suspended != 0;
    out.open_count = static_cast<std::uint64_t>(info.open_count);
    out.major = info.major;
    out.minor = info.minor;
    return true;
}

}  // namespace

LinuxDeviceMapper::LinuxDeviceMapper() {
    dm_log_with_errno_init(note_last_words);
    // Without udev (a rescue system) the library makes the nodes itself.
    dm_udev_set_sync_support(1);
}

Result<std::vector<MappedMirror>, std::string> LinuxDeviceMapper::mirrors() {
    const auto task = make_task(DM_DEVICE_LIST, "");
    if (!task || dm_task_run(task.get()) == 0) return failure("cannot list the mapped devices");
    std::vector<MappedMirror> found;
    const dm_names* entry = dm_task_get_names(task.get());
    if (entry == nullptr || entry->dev == 0) return found;
    while (true) {
        MappedMirror mirror;
        if (describe(entry->name, mirror)) found.push_back(std::move(mirror));
        if (entry->next == 0) return found;
        entry = reinterpret_cast<const dm_names*>(reinterpret_cast<const char*>(entry) + entry->next);
    }
}

Result<std::string, std::string> LinuxDeviceMapper::status(const std::string& name) {
    const auto task = make_task(DM_DEVICE_STATUS, name);
    if (!task || dm_task_run(task.get()) == 0) return failure("cannot ask for the status of " + name);
    std::uint64_t start = 0;
    std::uint64_t sectors = 0;
    char* type = nullptr;
    char* parameters = nullptr;
    dm_get_next_target(task.get(), nullptr, &start, &sectors, &type, &parameters);
    if (type == nullptr || parameters == nullptr || std::strcmp(type, "mirror") != 0)
        return Failure<std::string>(name + ": is no mirror");
    return std::string(parameters);
}

Result<void, std::string> LinuxDeviceMapper::create(const MappedMirror& mirror) {
    const auto task = make_task(DM_DEVICE_CREATE, mirror.name);
    if (!task || dm_task_set_uuid(task.get(), mirror.uuid.c_str()) == 0 || !add_table(task.get(), mirror) ||
        !run_with_udev(task.get()))
        return failure("cannot create the mapped device " + mirror.name);
    return {};
}

Result<void, std::string> LinuxDeviceMapper::load(const MappedMirror& mirror) {
    const auto task = make_task(DM_DEVICE_RELOAD, mirror.name);
    if (!task || !add_table(task.get(), mirror) || dm_task_run(task.get()) == 0)
        return failure("cannot load the table of " + mirror.name);
    return {};
}

Result<void, std::string> LinuxDeviceMapper::suspend(const std::string& name) {
    const auto task = make_task(DM_DEVICE_SUSPEND, name);
    // Writes that wait because a leg has failed would fail if they had to end now, and a file system that waits for
    // them could not be frozen.
    if (!task || dm_task_no_flush(task.get()) == 0 || dm_task_skip_lockfs(task.get()) == 0 ||
        dm_task_run(task.get()) == 0)
        return failure("cannot suspend " + name);
    return {};
}

Result<void, std::string> LinuxDeviceMapper::resume(const std::string& name) {
    const auto task = make_task(DM_DEVICE_RESUME, name);
    if (!task || !run_with_udev(task.get())) return failure("cannot resume " + name);
    return {};
}

Result<void, std::string> LinuxDeviceMapper::remove(const std::string& name) {
    const auto task = make_task(DM_DEVICE_REMOVE, name);
    if (!task || !run_with_udev(task.get())) return failure("cannot remove " + name);
    return {};
}

}  // namespace cmirror
