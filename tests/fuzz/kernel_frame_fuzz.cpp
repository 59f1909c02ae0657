// Datagrams of the kernel's socket. What is taken for a request can be said again, and its answers fit a frame.
#include <array>
#include <variant>

#include "actors/kernel_gateway/kernel_gateway_core.hpp"
#include "messages/invariant.hpp"
#include "messages/wire_kernel.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace cmirror {
namespace {

void check_request(const KernelRequest& request) {
    std::array<std::byte, kernel_frame_size_max> frame{};
    const std::size_t size = pack_kernel_request(request, frame);
    const auto again = unpack_kernel_request(std::span(frame).first(size));
    CMIRROR_INVARIANT(again.has_value());
    CMIRROR_INVARIANT(again->seq == request.seq && again->type == request.type && again->luid == request.luid);
    CMIRROR_INVARIANT(again->uuid == request.uuid && again->payload == request.payload);
    for (const std::int32_t error : {-3, -22}) {
        const std::size_t refused = pack_kernel_reply({request.seq, request.type, request.luid, error, {}}, frame);
        const auto reply = unpack_kernel_reply(std::span(frame).first(refused));
        CMIRROR_INVARIANT(reply && reply->error == error && reply->seq == request.seq && reply->luid == request.luid);
    }
}

void try_gateway(std::span<const std::byte> bytes) {
    KernelGatewayCore core(2);
    LogLines lines;
    core.add_route(*Uuid::from_text("LVM-test"), 1, lines);
    auto verdict = core.on_frame(bytes);
    std::visit(
        [&](auto& what) {
            if constexpr (std::is_same_v<std::decay_t<decltype(what)>, KernelGatewayCore::Bad>) {
                const auto address = core.refuse(what, TimePoint{}, lines);
                CMIRROR_INVARIANT(address.has_value() == what.why.answer_to.has_value());
                std::array<std::byte, kernel_frame_size_max> frame{};
                if (address) pack_kernel_refusal(*address, frame);
            } else {
                core.on_request(what.request, TimePoint{});
                core.on_reply({what.request.seq, what.request.type, what.request.luid, 0, {}}, TimePoint{});
                check_request(what.request);
            }
        },
        verdict);
}

}  // namespace
}  // namespace cmirror

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    cmirror::try_gateway(bytes);
    static_cast<void>(cmirror::unpack_kernel_reply(bytes));
    return 0;
}
