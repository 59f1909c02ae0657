// The shell of the kernel gateway: receives requests, passes them on, sends replies.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "actors/kernel_gateway/kernel_gateway_core.hpp"
#include "messages/interfaces.hpp"

namespace cmirror {

struct KernelGatewayConfig {
    /// Both outlive the actor system.
    KernelSocket* socket = nullptr;
    FdWatcher* watcher = nullptr;
    LogSink* sink = nullptr;
    SupervisorActor supervisor;
    /// As many as the supervisor has logs at most.
    std::size_t routes_max = 1024;
    /// Outlives the actor system, too; null: nothing is recorded.
    EventRecorder* recorder = nullptr;
    /// Outlives the actor system, too; null: the kernel repeats by itself what an earlier daemon left unanswered.
    RequestJournal* journal = nullptr;
};

struct KernelGatewayState {
    static constexpr const char* name = "kernel_gateway";

    KernelGatewayConfig config;
    std::optional<KernelGatewayCore> core;
    /// By RouteSlot.
    std::vector<MirrorLogActor> logs;
    std::array<std::byte, kernel_frame_size_max> received{};
    std::array<std::byte, kernel_frame_size_max> reply{};
    LogLines lines;
    /// Requests to an earlier daemon that the kernel is still to be asked for again.
    std::vector<std::uint32_t> to_repeat;
};

/// Watches the socket from its start until Shutdown.
KernelGatewayActor::behavior_type kernel_gateway(KernelGatewayActor::stateful_pointer<KernelGatewayState> self,
                                                 KernelGatewayConfig config);

}  // namespace cmirror
