// What an instance waits with: requests for the cluster's word, events of the group for the state.
#pragma once

#include <cstdint>
#include <variant>

#include "actors/mirror_log/effects.hpp"
#include "messages/cluster_message.hpp"
#include "messages/identity.hpp"
#include "messages/kernel_request.hpp"

namespace cmirror::mirror_log {

struct WaitingFlush {
    KernelRequest request;
    /// All own ops below this must be confirmed.
    std::uint64_t need = 0;
    /// The FLUSH to a legacy server that must be answered.
    std::uint32_t legacy_need = 0;
};

struct WaitingWork {
    KernelRequest request;
    Instant deadline{};
};

struct GroupDelivery {
    MemberId sender;
    ClusterMessage message;
};

/// In the total order.
using GroupEvent = std::variant<GroupDelivery, Membership>;

}  // namespace cmirror::mirror_log
