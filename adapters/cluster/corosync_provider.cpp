#include "adapters/cluster/corosync_provider.hpp"

#include "adapters/cluster/corosync_group.hpp"
#include "adapters/cluster/corosync_quorum.hpp"

namespace cmirror {

Result<std::unique_ptr<GroupConnection>, std::string> CorosyncProvider::open_group() {
    return CorosyncGroup::open();
}

Result<std::unique_ptr<QuorumConnection>, std::string> CorosyncProvider::open_quorum() {
    return CorosyncQuorum::open();
}

Result<NodeId, std::string> CorosyncProvider::local_node() {
    return CorosyncGroup::open().map([](const auto& connection) { return connection->local_node(); });
}

}  // namespace cmirror
