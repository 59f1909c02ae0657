#include "adapters/cluster/corosync_quorum.hpp"

#include "adapters/cluster/corosync_provider.hpp"

namespace cmirror {

Result<std::unique_ptr<CorosyncQuorum>, std::string> CorosyncQuorum::open() {
    std::unique_ptr<CorosyncQuorum> connection{new CorosyncQuorum};
    quorum_callbacks_t callbacks{};
    callbacks.quorum_notify_fn = on_change;
    std::uint32_t type = QUORUM_FREE;
    auto code = quorum_initialize(&connection->handle_, &callbacks, &type);
    if (code == CS_OK) {
        connection->connected_ = true;
        if (type != QUORUM_SET)
            return Failure<std::string>{
                "corosync has no quorum provider: put `quorum { provider: corosync_votequorum }` into corosync.conf"};
        code = quorum_context_set(connection->handle_, connection.get());
    }
    if (code == CS_OK) code = quorum_fd_get(connection->handle_, &connection->descriptor_);
    if (code == CS_OK) code = quorum_trackstart(connection->handle_, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
    if (code != CS_OK) return Failure<std::string>{corosync_failure_text("quorum", code)};
    return connection;
}

CorosyncQuorum::~CorosyncQuorum() {
    if (connected_) quorum_finalize(handle_);
}

std::vector<QuorumView> CorosyncQuorum::dispatch(ClusterCall& call) {
    views_.clear();
    // Views come once a ring: all of them are few.
    call = cluster_call_of(quorum_dispatch(handle_, CS_DISPATCH_ALL));
    if (call == ClusterCall::try_again) call = ClusterCall::done;
    return std::exchange(views_, {});
}

void CorosyncQuorum::on_change(quorum_handle_t handle, std::uint32_t quorate, std::uint64_t ring,
                               std::uint32_t node_count, std::uint32_t* nodes) {
    const void* context = nullptr;
    if (quorum_context_get(handle, &context) != CS_OK || context == nullptr) return;
    auto* self = static_cast<CorosyncQuorum*>(const_cast<void*>(context));
    self->views_.push_back({quorate != 0, ring, std::vector<NodeId>(nodes, nodes + node_count)});
}

}  // namespace cmirror
