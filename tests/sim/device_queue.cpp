#include "tests/sim/device_queue.hpp"

#include <algorithm>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "messages/wire_disk.hpp"
#include "tests/sim/daemon.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

using namespace std::chrono_literals;

DeviceQueue::DeviceQueue(Daemon& daemon, Node& node, std::string name, LogDeviceActor device)
    : daemon_(daemon),
      node_(node),
      name_(std::move(name)),
      device_(std::move(device)),
      number_(node.world.new_number()) {}

void DeviceQueue::add(Request request) {
    waiting_.push_back(std::move(request));
    if (waiting_.size() == 1) plan();
}

void DeviceQueue::plan() {
    node_.world.after(node_.world.device_latency(), [node = &node_, number = number_] {
        if (!node->daemon) return;
        for (auto& queue : node->daemon->devices())
            if (queue->number_ == number) return queue->carry_out();
    });
}

void DeviceQueue::carry_out() {
    node_.world.before_device_call(node_);
    Request request = std::move(waiting_.front());
    waiting_.pop_front();
    if (node_.world.tracing()) node_.world.tell(node_, describe(request));
    // The time that it took is the device's own; a daemon that is paused just now comes to it later.
    if (auto* write = std::get_if<WriteDevice>(&request)) write->begin_by = node_.world.now() + 1s;
    std::visit([this](auto& r) { caf::anon_send(device_, std::move(r)); }, request);
    if (!waiting_.empty()) plan();
}

/// For the story: what is done to the device, and which of the first regions a write calls dirty.
std::string DeviceQueue::describe(const Request& request) const {
    const auto* write = std::get_if<WriteDevice>(&request);
    if (write == nullptr)
        return "log device " + name_ + (std::holds_alternative<OpenDevice>(request) ? " opened" : " read");
    std::string text = "log device " + name_ + " written, bytes at";
    for (const DeviceBlock& block : write->blocks) {
        text += " " + std::to_string(block.offset);
        if (block.offset != 0 || block.bytes.size() <= device_header_size) continue;
        text += " with dirty regions";
        for (std::size_t i = device_header_size; i < std::min<std::size_t>(block.bytes.size(), device_header_size + 16);
             ++i)
            for (unsigned bit = 0; bit < 8; ++bit)
                if ((std::to_integer<unsigned>(block.bytes[i]) >> bit & 1U) == 0)
                    text += " " + std::to_string((i - device_header_size) * 8 + bit);
    }
    return text;
}

const WriteDevice* DeviceQueue::writing() const {
    return waiting_.empty() ? nullptr : std::get_if<WriteDevice>(&waiting_.front());
}

LogDeviceActor spawn_device_queue(caf::actor_system& system, DeviceQueue& queue) {
    const auto behaviour = [&queue](LogDeviceActor::pointer) -> LogDeviceActor::behavior_type {
        return {
            [&queue](const OpenDevice& open) { queue.add(open); },
            [&queue](const ReadDevice& read) { queue.add(read); },
            [&queue](const WriteDevice& write) { queue.add(write); },
        };
    };
    return system.spawn(behaviour);
}

}  // namespace cmirror::sim
