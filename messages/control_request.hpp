// What an administrator or a fencing agent asks the running daemon, and what is answered.
#pragma once

#include <string>
#include <variant>

#include "messages/identity.hpp"

namespace cmirror {

/// Proof that a node is gone: whoever says so knows that its kernel writes no more (design.md, rule 5).
struct NodeGone {
    NodeId node = 0;

    friend bool operator==(const NodeGone&, const NodeGone&) = default;
};

/// A snapshot of the whole daemon, answered with what pack_status() makes of it.
struct StatusRequest {
    friend bool operator==(const StatusRequest&, const StatusRequest&) = default;
};

/// What happened lately, answered with what pack_events() makes of it.
struct EventsRequest {
    friend bool operator==(const EventsRequest&, const EventsRequest&) = default;
};

using ControlRequest = std::variant<NodeGone, StatusRequest, EventsRequest>;

/// Answers NodeGone, and every request that cannot be carried out.
struct ControlReply {
    /// Empty: it was done.
    std::string error;
    /// How many logs of this node were told.
    std::uint64_t logs = 0;

    friend bool operator==(const ControlReply&, const ControlReply&) = default;
};

}  // namespace cmirror
