#include "main/start.hpp"

#include <unistd.h>

#include <csignal>
#include <utility>

#include "adapters/block_device/linux_block_device.hpp"
#include "adapters/cluster/corosync_provider.hpp"
#include "adapters/control_socket/unix_control_socket.hpp"
#include "adapters/kernel_socket/netlink_connector.hpp"
#include "adapters/kernel_socket/unix_datagram_socket.hpp"
#include "adapters/log_sink/event_ring.hpp"
#include "adapters/log_sink/log_sinks.hpp"
#include "adapters/process/boot_id.hpp"
#include "adapters/process/memory_lock.hpp"
#include "adapters/process/privileges.hpp"
#include "adapters/process/signalfd_source.hpp"
#include "adapters/service_manager/systemd_manager.hpp"
#include "adapters/state_store/folder_state_store.hpp"
#include "adapters/state_store/mapped_request_journal.hpp"

namespace cmirror {
namespace {

Failure<StartFailure> failure(ExitCode code, std::string text) {
    return Failure<StartFailure>(StartFailure{code, std::move(text)});
}

ExitCode code_of(KernelSocketFailure::Step step) {
    switch (step) {
        case KernelSocketFailure::Step::socket:
            return ExitCode::kernel_socket;
        case KernelSocketFailure::Step::bind:
            return ExitCode::kernel_bind;
        case KernelSocketFailure::Step::group:
            return ExitCode::group_membership;
    }
    return ExitCode::kernel_socket;
}

template <class Opened>
Result<std::unique_ptr<KernelSocket>, StartFailure> socket_or_failure(Opened opened) {
    if (!opened) return failure(code_of(opened.error().step), std::move(opened.error().text));
    return std::unique_ptr<KernelSocket>(std::move(*opened));
}

Result<std::unique_ptr<KernelSocket>, StartFailure> open_kernel(const Options& options) {
    if (!options.kernel_stand_in.empty()) return socket_or_failure(UnixDatagramSocket::open(options.kernel_stand_in));
    return socket_or_failure(NetlinkConnector::open());
}

}  // namespace

Result<void, StartFailure> check_rights(const Options& options) {
    if (!options.kernel_stand_in.empty()) return {};
    if (auto allowed = check_privileges(); !allowed)
        return failure(ExitCode::kernel_bind, std::move(allowed.error().text));
    return {};
}

std::unique_ptr<LogSink> open_sink(const Options& options) {
    if (options.foreground && in_journal(STDERR_FILENO)) return std::make_unique<JournalSink>();
    if (options.foreground) return std::make_unique<TerminalSink>();
    return std::make_unique<SyslogSink>();
}

Result<Resources, StartFailure> acquire(const Options& options, std::unique_ptr<LogSink> sink) {
    // A reader of the log that goes away must not end the daemon.
    std::signal(SIGPIPE, SIG_IGN);
    // Before the lock file tells anyone whom to signal: a signal that comes early waits until it can be read.
    auto signals = SignalfdSource::open({SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1});
    if (!signals) return failure(ExitCode::failure, std::move(signals.error()));
    const auto& stand_in = options.kernel_stand_in;
    auto lock = LockFile::acquire(stand_in.empty() ? std::string(LockFile::default_path) : stand_in + ".pid");
    if (!lock) return failure(ExitCode::lock_file, std::move(lock.error().text));
    auto boot = read_boot_id();
    if (!boot) return failure(ExitCode::failure, std::move(boot.error()));
    auto states =
        FolderStateStore::open(stand_in.empty() ? std::string(FolderStateStore::default_path) : stand_in + ".states");
    if (!states) return failure(ExitCode::failure, std::move(states.error()));
    auto journal = MappedRequestJournal::open(
        stand_in.empty() ? std::string(FolderStateStore::default_path) : stand_in + ".states", *boot);
    if (!journal) return failure(ExitCode::failure, std::move(journal.error()));
    auto control = UnixControlSocket::open(stand_in.empty() ? std::string(control_socket_path) : stand_in + ".control");
    if (!control) return failure(ExitCode::failure, std::move(control.error()));
    auto kernel = open_kernel(options);
    if (!kernel) return Failure<StartFailure>(std::move(kernel.error()));
    auto cluster = std::make_unique<CorosyncProvider>();
    const auto node = cluster->local_node();
    if (!node) return failure(ExitCode::cluster_unreachable, node.error());
    if (auto quorum = cluster->open_quorum(); !quorum)
        return failure(ExitCode::cluster_unreachable, std::move(quorum.error()));
    allow_descriptors();
    if (auto locked = lock_memory(); !locked) sink->write(LogLevel::warning, locked.error());
    if (auto dropped = drop_privileges(); !dropped) return failure(ExitCode::failure, std::move(dropped.error()));
    auto ring = std::make_unique<EventRing>(std::move(sink));
    auto* recorder = ring.get();
    return Resources{.lock = std::move(*lock),
                     .boot = *boot,
                     .identity = {CMIRROR_VERSION, *node},
                     .sink = std::move(ring),
                     .recorder = recorder,
                     .kernel = std::move(*kernel),
                     .cluster = std::move(cluster),
                     .devices = std::make_unique<LinuxBlockDeviceProvider>(),
                     .states = std::move(*states),
                     .journal = std::move(*journal),
                     .control = std::move(*control),
                     .signals = std::move(*signals),
                     .manager = std::make_unique<SystemdManager>(),
                     .fenced_after = options.fenced_after};
}

}  // namespace cmirror
