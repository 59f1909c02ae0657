// One run of the daemon on a simulated node: the actors of main/rooms.cpp over fakes of this simulation.
#pragma once

#include <caf/actor_system.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/mirror_log/mirror_log_actor.hpp"
#include "actors/supervisor/supervisor_actor.hpp"
#include "adapters/block_device/fake_block_device.hpp"
#include "adapters/cluster/fake_cluster.hpp"
#include "adapters/event_loop/fake_fd_watcher.hpp"
#include "adapters/kernel_socket/fake_kernel_socket.hpp"
#include "adapters/process/fake_signal_source.hpp"
#include "tests/sim/device_queue.hpp"
#include "tests/sim/event_queue.hpp"

namespace cmirror::sim {

struct Node;

/// A mirror log that runs in a daemon.
struct RunningLog {
    Uuid uuid;
    Luid luid = 0;
    /// Valid while `alive`.
    const mirror_log::MirrorLogCore* core = nullptr;
    std::shared_ptr<bool> alive;
};

class Daemon {
  public:
    /// Starts it; `process` must be new on this node.
    Daemon(caf::actor_system& system, Node& node, std::uint32_t process);
    /// Kills it: nothing of what it would still have done reaches the outside.
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    FakeKernelSocket& socket() { return socket_; }
    FakeFdWatcher& watcher() { return watcher_; }
    std::uint32_t process() const { return process_; }
    /// Logs that have not ended.
    std::vector<RunningLog> logs();
    const mirror_log::MirrorLogCore* log(Luid luid);
    /// Does this actor belong to the daemon?
    bool owns(caf::actor_id actor) const { return actors_.contains(actor); }
    std::vector<std::unique_ptr<DeviceQueue>>& devices() { return devices_; }

  private:
    class Sink final : public LogSink {
      public:
        explicit Sink(Daemon& daemon) : daemon_(daemon) {}
        void write(LogLevel level, std::string_view line) noexcept override { daemon_.line(level, line); }

      private:
        Daemon& daemon_;
    };

    void line(LogLevel level, std::string_view text);
    Rooms open_rooms(SupervisorActor supervisor);
    MirrorLogActor make_log(const Uuid& uuid, Luid luid, MirrorLogConfig config);
    template <class Actor>
    Actor own(Actor actor);

    caf::actor_system& system_;
    Node& node_;
    std::uint32_t process_;
    Sink sink_;
    FakeKernelSocket socket_;
    FakeFdWatcher watcher_;
    FakeSignalSource signals_;
    std::unique_ptr<ClusterProvider> cluster_;
    std::vector<RunningLog> logs_;
    /// Of logs_, one for one.
    std::vector<const MirrorLogState*> states_;
    std::vector<std::unique_ptr<DeviceQueue>> devices_;
    std::map<caf::actor_id, caf::actor> actors_;
    caf::actor supervisor_;
};

}  // namespace cmirror::sim
