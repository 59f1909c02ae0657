// What runs on a node: applications that write and read, and an administrator who mends what failed.
#pragma once

#include "tests/sim/mapped_device.hpp"

namespace cmirror::sim {

/// Creates the mirror as soon as the daemon answers; loads a new table when a leg or the log failed.
Co<void> administrate(MappedDevice& device);
Co<void> write_now_and_then(MappedDevice& device);
Co<void> read_now_and_then(MappedDevice& device);

}  // namespace cmirror::sim
