#include "adapters/cluster/corosync_provider.hpp"

namespace cmirror {

ClusterCall cluster_call_of(cs_error_t code) {
    switch (code) {
        case CS_OK:
            return ClusterCall::done;
        case CS_ERR_TRY_AGAIN:
        case CS_ERR_BUSY:
        case CS_ERR_QUEUE_FULL:
        case CS_ERR_INTERRUPT:
        case CS_ERR_TIMEOUT:
        case CS_ERR_NO_MEMORY:
        case CS_ERR_NO_RESOURCES:
            return ClusterCall::try_again;
        case CS_ERR_INVALID_PARAM:
        case CS_ERR_NAME_TOO_LONG:
        case CS_ERR_EXIST:
        case CS_ERR_NOT_EXIST:
        case CS_ERR_TOO_BIG:
        case CS_ERR_TOO_MANY_GROUPS:
        case CS_ERR_NOT_SUPPORTED:
        case CS_ERR_BAD_FLAGS:
            return ClusterCall::refused;
        default:
            return ClusterCall::lost;
    }
}

std::string corosync_failure_text(const std::string& service, cs_error_t code) {
    const std::string number = " (corosync error " + std::to_string(static_cast<int>(code)) + ")";
    switch (code) {
        case CS_ERR_LIBRARY:
        case CS_ERR_NOT_EXIST:
        case CS_ERR_BAD_HANDLE:
            return "corosync is not running: start corosync.service; its " + service + " service does not answer" +
                   number;
        case CS_ERR_ACCESS:
        case CS_ERR_SECURITY:
            return "no permission to use corosync's " + service +
                   " service: run as root, or allow this user in /etc/corosync/uidgid.d" + number;
        case CS_ERR_TRY_AGAIN:
        case CS_ERR_BUSY:
        case CS_ERR_TIMEOUT:
            return "corosync's " + service +
                   " service is not ready: wait until the cluster has formed (corosync-quorumtool -s)" + number;
        case CS_ERR_NO_MEMORY:
        case CS_ERR_NO_RESOURCES:
            return "no memory for a connection to corosync's " + service + " service: free some of /dev/shm" + number;
        default:
            return "corosync's " + service + " service cannot be used: see corosync's log" + number;
    }
}

}  // namespace cmirror
