// Making, activating and removing mirrors on this node.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "main/ctl/cmirrortab.hpp"
#include "main/ctl/exit_code.hpp"
#include "messages/device_mapper.hpp"
#include "messages/disk_inspector.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror::ctl {

struct Refusal {
    ExitCode code = failed;
    /// What is wrong and what to do.
    std::string text;
};
/// What was done, for a person.
using Outcome = Result<std::string, Refusal>;

inline tl::unexpected<Refusal> refuse(std::string text, ExitCode code = failed) {
    return tl::unexpected<Refusal>(Refusal{code, std::move(text)});
}
tl::unexpected<Refusal> no_such_mirror(const std::string& name, const std::string& tab_path);

struct CreateOrder {
    std::string name;
    std::vector<std::string> legs;
    /// Empty: the log is kept in memory alone.
    std::string log_device = {};
    /// 0: as large as the smallest leg allows.
    std::uint64_t sectors = 0;
    /// 0: 512 KiB, or more for a mirror of more than a million of them.
    std::uint64_t region_sectors = 0;
    /// The legs hold the same bytes, or what they hold does not matter.
    bool nosync = false;
    /// Whatever is on the devices.
    bool force = false;
    /// Empty: CMIRROR-name.
    std::string log_uuid = {};
};

struct ReplaceOrder {
    std::string name;
    std::string old_leg;
    std::string new_leg;
    /// Whatever is on the new device; also if the other legs do not hold everything, or if the mirror is not active.
    bool force = false;
    /// Stay suspended, for another node to go first.
    bool hold = false;
};

/// All that is said and done goes through these.
struct MirrorTools {
    DeviceMapper* devices = nullptr;
    DiskInspector* disks = nullptr;
    /// Of /etc/cmirrortab.
    std::string tab_path;
    /// The daemon's snapshot, or why it cannot be asked.
    std::function<Result<StatusSnapshot, std::string>()> status;
};

class Mirrors {
  public:
    explicit Mirrors(MirrorTools tools) : tools_(std::move(tools)) {}

    /// Checks the devices, makes the mirror on this node and adds it to the tab.
    Outcome create(const CreateOrder& order);
    /// A mirror of the tab; one that is active already is left as it is.
    Outcome activate(const std::string& name);
    /// All of the tab but those with noauto; goes on after a failure.
    Outcome activate_all();
    Outcome deactivate(const std::string& name);
    /// All that are active and in the tab.
    Outcome deactivate_all();
    /// Deactivates it if need be and takes it out of the tab.
    Outcome remove(const std::string& name);
    /// Suspends and resumes it: the kernel asks for resynchronisation work again, and tries a leg again that had
    /// failed.
    Outcome refresh(const std::string& name);
    /// Another device in place of a leg, under a new log: everything is copied to it. No other node may use the
    /// mirror meanwhile. Writes that wait because the leg has failed go on.
    Outcome replace_leg(const ReplaceOrder& order);

  private:
    Outcome checked_create(const CreateOrder& order, Cmirrortab& tab);
    Outcome load(const TabEntry& entry, const std::vector<std::string>& extra_options);
    tl::unexpected<Refusal> not_made(const TabEntry& entry, const std::string& why);
    Result<void, Refusal> load_again(const MappedMirror& mirror);
    Result<TabEntry, Refusal> entry_of(const std::string& name);
    Result<std::optional<MappedMirror>, Refusal> active(const std::string& name);
    /// The mirror as the kernel is to have it.
    Result<MappedMirror, Refusal> device_of(const TabEntry& entry, const std::vector<std::string>& extra_options);
    /// Whether a leg may go now, by what the daemon says of the log and the kernel of the legs.
    Result<void, Refusal> may_replace(const TabEntry& entry, const ReplaceOrder& order);
    /// A leg of a mirror that is not active here, perhaps because it cannot be any more.
    Outcome replace_in_tab(const TabEntry& next, const ReplaceOrder& order, Cmirrortab& tab);
    Outcome replace_live(const TabEntry& next, const ReplaceOrder& order, Cmirrortab& tab);
    Result<DiskFacts, Refusal> usable(const std::string& path, bool force);
    Result<Cmirrortab, Refusal> tab();
    Result<void, Refusal> daemon_runs();

    MirrorTools tools_;
};

/// The uuid of the log that follows it when a leg is replaced: "x" -> "x.2" -> "x.3".
std::string next_log_uuid(const std::string& log_uuid);

}  // namespace cmirror::ctl
