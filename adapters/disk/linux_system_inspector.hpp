// This machine, by /proc, /sys and its module folder.
#pragma once

#include "messages/system_facts.hpp"

namespace cmirror {

class LinuxSystemInspector final : public SystemInspector {
  public:
    SystemFacts inspect() override;
};

}  // namespace cmirror
