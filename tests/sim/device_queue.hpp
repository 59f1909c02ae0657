// The time that a log device takes: requests of one log wait here before its actor carries them out.
#pragma once

#include <caf/actor_system.hpp>
#include <deque>
#include <string>
#include <variant>

#include "messages/interfaces.hpp"
#include "tests/sim/event_queue.hpp"

namespace cmirror::sim {

struct Node;
class Daemon;

class DeviceQueue {
  public:
    using Request = std::variant<OpenDevice, ReadDevice, WriteDevice>;

    /// `device` carries the requests out when their time has come.
    DeviceQueue(Daemon& daemon, Node& node, std::string name, LogDeviceActor device);

    void add(Request request);
    /// The write that is under way, or null: at a crash any part of it may have reached the device.
    const WriteDevice* writing() const;
    std::size_t size() const { return waiting_.size(); }
    const std::string& device_name() const { return name_; }

  private:
    void plan();
    void carry_out();

    Daemon& daemon_;
    Node& node_;
    std::string describe(const Request& request) const;

    std::string name_;
    LogDeviceActor device_;
    std::deque<Request> waiting_;
    std::uint64_t number_ = 0;
};

/// The actor that the log sees: passes requests to the queue.
LogDeviceActor spawn_device_queue(caf::actor_system& system, DeviceQueue& queue);

}  // namespace cmirror::sim
