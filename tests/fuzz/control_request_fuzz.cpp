// Requests on the control socket, and what cmirrorctl reads of replies.
#include <string>
#include <variant>

#include "actors/control_gateway/control_gateway_core.hpp"
#include "messages/invariant.hpp"
#include "messages/wire_control.hpp"
#include "messages/wire_status.hpp"
#include "tests/fuzz/fuzz_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cmirror;
    const std::string text(reinterpret_cast<const char*>(data), size);
    if (const auto request = unpack_control_request(text))
        CMIRROR_INVARIANT(unpack_control_request(pack_control_request(*request)) == *request);
    LogLines lines;
    ControlGatewayCore core;
    const auto verdict = core.on_request({text, 0, 1}, TimePoint{}, lines);
    if (const auto* reply = std::get_if<ControlReply>(&verdict)) {
        CMIRROR_INVARIANT(!reply->error.empty());
        static_cast<void>(pack_control_reply(*reply));
    }
    // Nobody but root is heard.
    const auto refused = core.on_request({text, 1000, 2}, TimePoint{}, lines);
    CMIRROR_INVARIANT(std::holds_alternative<ControlReply>(refused) && !std::get<ControlReply>(refused).error.empty());
    static_cast<void>(unpack_events(text));
    static_cast<void>(unpack_control_reply(text));
    if (const auto status = unpack_status(text)) static_cast<void>(pack_status(*status));
    return 0;
}
