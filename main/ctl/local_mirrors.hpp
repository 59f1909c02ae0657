// What this node's kernel says of its mirrors.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "main/ctl/cmirrortab.hpp"
#include "messages/device_mapper.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror::ctl {

struct Leg {
    /// The path in the tab, else what the kernel calls it: "8:16".
    std::string device;
    /// The kernel's letter: 'A' works, another one is what has failed; '?' was not asked for.
    char health = '?';

    bool failed() const { return health != 'A' && health != '?'; }
    friend bool operator==(const Leg&, const Leg&) = default;
};

struct LocalMirror {
    /// Of the mapped device.
    std::string name;
    bool suspended = false;
    /// The tab has a line for it, so that its legs can be replaced.
    bool in_tab = false;
    std::vector<Leg> legs = {};

    friend bool operator==(const LocalMirror&, const LocalMirror&) = default;
};

/// By the uuid of their log.
using LocalMirrors = std::map<std::string, LocalMirror>;

/// To answer for its legs the kernel asks the daemon, which takes it down: whoever looks again and again asks for few.
enum class AskLegs : std::uint8_t { of_all, of_those_out_of_sync };

/// None if the devices cannot be listed. A mirror's legs are asked for only while its log is active, or the kernel
/// might wait.
LocalMirrors local_mirrors(DeviceMapper& devices, const Cmirrortab& tab, const StatusSnapshot& snapshot, AskLegs ask);

/// What has failed on a leg with that letter: "writes"; empty if nothing has, or if it is not known.
std::string_view what_failed(char health);

}  // namespace cmirror::ctl
