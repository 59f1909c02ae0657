// corosync's closed process groups and quorum service, by libcpg and libquorum.
#pragma once

#include <corosync/corotypes.h>

#include <memory>
#include <string>

#include "messages/ports.hpp"

namespace cmirror {

/// What a corosync call's outcome means for a connection.
/// CS_ERR_TRY_AGAIN, CS_ERR_BUSY, CS_ERR_QUEUE_FULL, CS_ERR_INTERRUPT, CS_ERR_TIMEOUT, CS_ERR_NO_MEMORY and
/// CS_ERR_NO_RESOURCES may succeed later; an argument that corosync does not take is refused; everything else means
/// that the connection is of no use any more.
ClusterCall cluster_call_of(cs_error_t code);

/// Why a service of corosync cannot be used, and what to do; one line. `service` is its name, e.g. "group messaging".
std::string corosync_failure_text(const std::string& service, cs_error_t code);

/// Every call but dispatch asks corosync over its IPC and waits for the answer: usually some 10 us, but without a limit
/// (the libraries offer none) while corosync is stopped or starved. Connections must not be used from two threads.
///
/// A group's name in CPG is the uuid with its NUL (spec/cluster-v5.md), at most 128 bytes together: a uuid of 128
/// characters is refused. So are a frame above what corosync sends in one piece (about 1 MB; libcpg would split it,
/// and sleep and print when corosync is busy), and joining a group that another connection of this process has joined:
/// corosync says CS_ERR_EXIST until that connection is closed, even after its leave was delivered.
class CorosyncProvider final : public ClusterProvider {
  public:
    Result<std::unique_ptr<GroupConnection>, std::string> open_group() override;
    /// Fails where corosync has no quorum provider: without one every partition would count as quorate.
    Result<std::unique_ptr<QuorumConnection>, std::string> open_quorum() override;
    Result<NodeId, std::string> local_node() override;
};

}  // namespace cmirror
