// Requests and replies of the control socket: one JSON object each, with hyphenated keys. A request ends with a line
// feed, a reply with the connection.
//
//   {"version": 1, "request": "status"}, answered with what wire_status.hpp describes, or an error
//   {"version": 1, "request": "events"}, answered with {"version": 1, "events": ["...", ...]}
//   {"version": 1, "request": "node-gone", "node": 3}
//   {"version": 1, "logs": 2}            or            {"version": 1, "error": "..."}
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "messages/control_request.hpp"
#include "messages/result.hpp"

namespace cmirror {

inline constexpr int control_version = 1;
/// Bytes of a request at most, the line feed included.
inline constexpr std::size_t control_request_max = 4096;

std::string pack_control_request(const ControlRequest& request);
/// An error's text says what is wrong with the request.
Result<ControlRequest, std::string> unpack_control_request(std::string_view text);

std::string pack_events(const std::vector<std::string>& events);
/// An error's text says what is wrong with it, also what the daemon itself said.
Result<std::vector<std::string>, std::string> unpack_events(std::string_view text);

std::string pack_control_reply(const ControlReply& reply);
Result<ControlReply, std::string> unpack_control_reply(std::string_view text);

}  // namespace cmirror
