// Which boot of this node this is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "messages/identity.hpp"
#include "messages/result.hpp"

namespace cmirror {

/// A boot id as the kernel writes it: 32 hexadecimal digits in groups of 8-4-4-4-12. Nothing if it is not one.
std::optional<BootId> boot_id_from_text(std::string_view text);

/// Reads it from the kernel; an error is a line of text.
Result<BootId, std::string> read_boot_id(const std::string& path = "/proc/sys/kernel/random/boot_id");

}  // namespace cmirror
