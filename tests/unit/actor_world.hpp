// What the deterministic tests of actor shells share: CAF's test coordinator, descriptors and lines under control.
#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "messages/fd_watcher.hpp"
#include "messages/identity.hpp"
#include "messages/ports.hpp"

namespace cmirror::test {

inline Uuid uuid(std::string_view text) {
    return Uuid::from_text(text).value();
}

class RecordingSink final : public LogSink {
  public:
    void write(LogLevel level, std::string_view line) noexcept override { lines.emplace_back(level, line); }

    std::size_t count(LogLevel level) const {
        std::size_t found = 0;
        for (const auto& [at, text] : lines)
            found += at == level;
        return found;
    }
    bool contains(std::string_view part) const {
        for (const auto& [level, text] : lines)
            if (text.find(part) != std::string::npos) return true;
        return false;
    }

    std::vector<std::pair<LogLevel, std::string>> lines;
};

/// The test says what is readable.
class ManualWatcher final : public FdWatcher {
  public:
    void watch(int descriptor, caf::actor owner) override {
        owners[descriptor] = std::move(owner);
        armed.insert(descriptor);
    }
    void rearm(int descriptor) override {
        if (owners.contains(descriptor)) armed.insert(descriptor);
    }
    void unwatch(int descriptor) override {
        armed.erase(descriptor);
        owners.erase(descriptor);
    }
    /// True if the owner was told.
    bool make_readable(int descriptor) {
        if (armed.erase(descriptor) == 0) return false;
        caf::anon_send(owners.at(descriptor), descriptor_ready_atom::value, descriptor);
        return true;
    }

    std::map<int, caf::actor> owners;
    std::set<int> armed;
};

/// An actor system whose actors run when the test says so.
struct ActorWorld {
    // Declared before the system: actors use them until their end.
    RecordingSink sink;
    ManualWatcher watcher;
    caf::actor_system_config config;
    std::unique_ptr<caf::actor_system> system;

    ActorWorld() {
        config.set("scheduler.policy", caf::atom("testing"));
        system = std::make_unique<caf::actor_system>(config);
    }
    caf::scheduler::test_coordinator& scheduler() {
        return dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler());
    }
    void run() { scheduler().run(); }
    void pass(std::chrono::nanoseconds time) {
        scheduler().advance_time(time);
        run();
    }
    /// Ends an actor, so that the system can stop.
    template <class Handle>
    void end(Handle& handle) {
        if (handle == nullptr) return;
        caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
        run();
        handle = nullptr;
    }
};

}  // namespace cmirror::test
