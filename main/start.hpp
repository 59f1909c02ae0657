// What the daemon needs before any actor exists, acquired in the order in which a failure says most.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "adapters/process/lock_file.hpp"
#include "main/options.hpp"
#include "messages/identity.hpp"
#include "messages/ports.hpp"
#include "messages/result.hpp"
#include "messages/status_snapshot.hpp"

namespace cmirror {

/// cmirrord(8), "EXIT CODES".
enum class ExitCode : int {
    success = 0,
    failure = 1,
    /// The lock file is another daemon's, or cannot be made. A wrong command line ends with the same code.
    lock_file = 2,
    usage = 2,
    kernel_socket = 3,
    /// The connector does not let us in; also when a capability is missing.
    kernel_bind = 4,
    /// The connector's multicast group.
    group_membership = 5,
    cluster_unreachable = 6,
};

struct StartFailure {
    ExitCode code = ExitCode::failure;
    /// One line that says what to do.
    std::string text;
};

/// What outlives the actor system.
struct Resources {
    /// The last to go.
    LockFile lock;
    BootId boot{};
    DaemonIdentity identity = {};
    std::unique_ptr<LogSink> sink;
    /// A part of the sink; null: nothing is recorded.
    EventRecorder* recorder = nullptr;
    std::unique_ptr<KernelSocket> kernel;
    std::unique_ptr<ClusterProvider> cluster;
    std::unique_ptr<BlockDeviceProvider> devices;
    std::unique_ptr<StateStore> states;
    /// Null: what an earlier daemon left unanswered is not asked for.
    std::unique_ptr<RequestJournal> journal = {};
    /// Null: nobody can ask anything.
    std::unique_ptr<ControlSocket> control;
    std::unique_ptr<SignalSource> signals;
    /// Null: none is told.
    std::unique_ptr<ServiceManager> manager = {};
    /// See Options.
    std::chrono::seconds fenced_after{0};
};

/// Whether the daemon may do what it has to; to be called before it goes into the background.
Result<void, StartFailure> check_rights(const Options& options);

/// Where lines go: the journal if the service manager connected us to it; else the terminal in the foreground; else
/// syslog.
std::unique_ptr<LogSink> open_sink(const Options& options);

/// To be called in the final process, before any thread exists.
Result<Resources, StartFailure> acquire(const Options& options, std::unique_ptr<LogSink> sink);

}  // namespace cmirror
