#include "adapters/cluster/corosync_group.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "adapters/cluster/corosync_provider.hpp"

namespace cmirror {
namespace {

std::optional<cpg_name> name_of(const Uuid& group) {
    const auto text = group.text();
    cpg_name name{};
    // The NUL counts.
    if (text.size() + 1 > sizeof name.value) return std::nullopt;
    std::memcpy(name.value, text.data(), text.size());
    name.length = static_cast<std::uint32_t>(text.size() + 1);
    return name;
}

ChangeReason reason_of(std::uint32_t reason) {
    switch (reason) {
        case CPG_REASON_JOIN:
            return ChangeReason::join;
        case CPG_REASON_LEAVE:
            return ChangeReason::leave;
        case CPG_REASON_NODEUP:
            return ChangeReason::node_up;
        case CPG_REASON_NODEDOWN:
            return ChangeReason::node_down;
        default:
            // The one that promises nothing about the other node.
            return ChangeReason::process_down;
    }
}

std::vector<MemberChange> changes_of(std::span<const cpg_address> entries) {
    std::vector<MemberChange> result;
    result.reserve(entries.size());
    for (const auto& entry : entries)
        result.push_back({{entry.nodeid, entry.pid}, reason_of(entry.reason)});
    return result;
}

}  // namespace

Result<std::unique_ptr<CorosyncGroup>, std::string> CorosyncGroup::open() {
    std::unique_ptr<CorosyncGroup> connection{new CorosyncGroup};
    if (const auto code = connection->connect(); code != CS_OK)
        return Failure<std::string>{corosync_failure_text("group messaging (CPG)", code)};
    return connection;
}

cs_error_t CorosyncGroup::connect() {
    cpg_model_v1_data_t model{};
    model.model = CPG_MODEL_V1;
    model.cpg_deliver_fn = on_deliver;
    model.cpg_confchg_fn = on_change;
    auto code = cpg_model_initialize(&handle_, CPG_MODEL_V1, reinterpret_cast<cpg_model_data_t*>(&model), this);
    if (code != CS_OK) return code;
    connected_ = true;
    unsigned int node = 0;
    if ((code = cpg_local_get(handle_, &node)) != CS_OK) return code;
    if ((code = cpg_max_atomic_msgsize_get(handle_, &frame_size_max_)) != CS_OK) return code;
    if ((code = cpg_fd_get(handle_, &descriptor_)) != CS_OK) return code;
    self_ = {node, static_cast<std::uint32_t>(::getpid())};
    return CS_OK;
}

CorosyncGroup::~CorosyncGroup() {
    if (connected_) cpg_finalize(handle_);
}

ClusterCall CorosyncGroup::join(const Uuid& group) {
    const auto name = name_of(group);
    if (!name || group_.has_value()) return ClusterCall::refused;
    const auto outcome = cluster_call_of(cpg_join(handle_, &*name));
    if (outcome == ClusterCall::done) group_ = name;
    return outcome;
}

ClusterCall CorosyncGroup::leave() {
    if (!group_ || left_) return ClusterCall::refused;
    const auto outcome = cluster_call_of(cpg_leave(handle_, &*group_));
    left_ = outcome == ClusterCall::done;
    return outcome;
}

ClusterCall CorosyncGroup::multicast(std::span<const std::byte> frame) {
    if (!group_ || left_ || frame.size() > frame_size_max_) return ClusterCall::refused;
    // writev's type has no const; libcpg only reads.
    iovec part{const_cast<std::byte*>(frame.data()), frame.size()};
    return cluster_call_of(cpg_mcast_joined(handle_, CPG_TYPE_AGREED, &part, 1));
}

ClusterCall CorosyncGroup::dispatch(GroupEvents& events, std::size_t events_max, bool& more) {
    more = true;
    events_ = &events;
    auto outcome = ClusterCall::done;
    for (std::size_t i = 0; i < events_max && outcome == ClusterCall::done; ++i)
        outcome = cluster_call_of(cpg_dispatch(handle_, CS_DISPATCH_ONE_NONBLOCKING));
    events_ = nullptr;
    if (outcome == ClusterCall::done) return outcome;
    more = false;
    // Nothing waits: what the library calls "try again" is the ordinary end.
    return outcome == ClusterCall::try_again ? ClusterCall::done : ClusterCall::lost;
}

CorosyncGroup* CorosyncGroup::of(cpg_handle_t handle) {
    void* context = nullptr;
    return cpg_context_get(handle, &context) == CS_OK ? static_cast<CorosyncGroup*>(context) : nullptr;
}

void CorosyncGroup::on_deliver(cpg_handle_t handle, const cpg_name*, std::uint32_t node, std::uint32_t process,
                               void* bytes, std::size_t size) {
    auto* self = of(handle);
    if (self == nullptr || self->events_ == nullptr) return;
    self->events_->delivered({node, process}, {static_cast<const std::byte*>(bytes), size});
}

void CorosyncGroup::on_change(cpg_handle_t handle, const cpg_name*, const cpg_address* members,
                              std::size_t member_count, const cpg_address* left, std::size_t left_count,
                              const cpg_address* joined, std::size_t joined_count) {
    auto* self = of(handle);
    if (self == nullptr || self->events_ == nullptr) return;
    Membership membership;
    membership.self = self->self_;
    for (const auto& member : std::span{members, member_count})
        membership.members.push_back({member.nodeid, member.pid});
    membership.left = changes_of({left, left_count});
    membership.joined = changes_of({joined, joined_count});
    self->events_->changed(std::move(membership));
}

}  // namespace cmirror
