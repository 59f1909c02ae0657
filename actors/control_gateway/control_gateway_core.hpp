// What happens to a request on the control socket: refused, or passed on.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "actors/common/log_line.hpp"
#include "messages/control_request.hpp"
#include "messages/log_status.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// Only root may ask anything. Holds no state of any log.
class ControlGatewayCore {
  public:
    /// What to answer at once, or the request to pass on.
    using Verdict = std::variant<ControlReply, ControlRequest>;

    Verdict on_request(const ControlQuestion& question, TimePoint now, LogLines& lines);
    ActorStatus status() const;

  private:
    LineLimiter limiter_;
    std::uint64_t requests_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace cmirror
