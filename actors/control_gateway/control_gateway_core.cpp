#include "actors/control_gateway/control_gateway_core.hpp"

#include "messages/wire_control.hpp"

namespace cmirror {

ControlGatewayCore::Verdict ControlGatewayCore::on_request(const ControlQuestion& question, TimePoint now,
                                                           LogLines& lines) {
    ++requests_;
    const auto refuse = [&](const std::string& why) {
        ++refused_;
        limiter_.add(lines, LogLevel::warning, "refused",
                     "refused a request of user " + std::to_string(question.user) + " on the control socket: " + why,
                     now);
        return ControlReply{why, 0};
    };
    if (question.user != 0) return refuse("only root may ask: run it as root");
    auto request = unpack_control_request(question.text);
    if (!request) return refuse(request.error());
    return *request;
}

ActorStatus ControlGatewayCore::status() const {
    ActorStatus status{.heading = "CONTROL COMPONENT DEBUGGING::", .fields = {}};
    status.fields.emplace_back("requests", std::to_string(requests_));
    status.fields.emplace_back("refused", std::to_string(refused_));
    return status;
}

}  // namespace cmirror
