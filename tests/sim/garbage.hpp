// What arrives at a daemon's kernel socket and is no request of its kernel.
#pragma once

namespace cmirror::sim {

class World;
struct Node;

/// Frames that are no requests, or bad ones, or not the kernel's. The node's daemon runs.
void send_garbage(World& world, Node& node);

}  // namespace cmirror::sim
