// Any message of the group survives the wire; any bytes are read without harm.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "messages/wire_cluster.hpp"
#include "tests/unit/wire_cluster_frames.hpp"

namespace cmirror::wire_test {
namespace {

template <class Number>
Number any() {
    return *rc::gen::arbitrary<Number>();
}

Bytes any_bytes(std::size_t size_max) {
    Bytes bytes(*rc::gen::inRange<std::size_t>(0, size_max + 1));
    for (auto& byte : bytes)
        byte = static_cast<std::byte>(any<std::uint8_t>());
    return bytes;
}

Op any_op() {
    const auto kind = static_cast<OpKind>(*rc::gen::inRange(1, 18));
    const auto region = any<std::uint64_t>() >> (kind == OpKind::node_gone ? 32U : 1U);
    const auto count = *rc::gen::inRange<std::uint64_t>(1, 1U << 20U);
    return {kind, region, count};
}

/// A request or its answer.
std::uint32_t any_legacy_type() {
    return *rc::gen::inRange(1U, 18U) | (any<bool>() ? 0x1000U : 0U);
}

ClusterMessage any_message() {
    switch (*rc::gen::inRange(0, 10)) {
        case 0: {
            Hello hello{any<std::uint64_t>(), {},          any<std::uint64_t>(),  any<std::uint64_t>(),
                        any<std::uint64_t>(), any<bool>(), {any<std::uint32_t>()}};
            for (auto& byte : hello.boot)
                byte = any<std::uint8_t>();
            return hello;
        }
        case 1: {
            Ops ops{any<std::uint64_t>(), any<std::uint64_t>() >> 1U, any<std::uint64_t>(), {}};
            for (int i = *rc::gen::inRange(0, 20); i > 0; --i)
                ops.ops.push_back(any_op());
            return ops;
        }
        case 2: {
            Confirm confirm;
            for (int i = *rc::gen::inRange(0, 20); i > 0; --i)
                confirm.confirmations.push_back({{any<std::uint32_t>(), any<std::uint32_t>()},
                                                 any<std::uint64_t>(),
                                                 any<std::uint64_t>(),
                                                 -*rc::gen::inRange(0, 4096)});
            return confirm;
        }
        case 3:
            return StateBegin{any<std::uint64_t>()};
        case 4:
            return StateChunk{any<std::uint64_t>(), *rc::gen::inRange(0U, 9U), 9, any_bytes(64)};
        case 5:
            return Valid{any<std::uint64_t>(), any<std::uint64_t>()};
        case 6:
            return Standing{any<std::uint64_t>(), any<bool>(), any<bool>(), any<std::uint64_t>()};
        case 7:
            return StateDigest{any<std::uint64_t>(), any<std::uint64_t>()};
        case 8:
            return Anew{any<std::uint64_t>()};
        default:
            return LegacyFrame{any<std::uint32_t>(), any<std::uint32_t>(), any<std::uint32_t>(), any<std::int32_t>(),
                               any<std::uint32_t>(), any_legacy_type(),    any_bytes(64)};
    }
}

RC_GTEST_PROP(WireClusterProperty, messages_survive_the_wire, ()) {
    const auto message = any_message();
    RC_ASSERT(unpack_cluster_message(frame_of(message), group()) == message);
}

RC_GTEST_PROP(WireClusterProperty, a_changed_frame_is_read_without_harm, ()) {
    Bytes frame = frame_of(any_message());
    const auto first = *rc::gen::element<std::size_t>(0, data_size_at, data_at);
    for (int i = *rc::gen::inRange(1, 6); i > 0; --i)
        frame[*rc::gen::inRange<std::size_t>(std::min(first, frame.size() - 1), frame.size())] =
            static_cast<std::byte>(any<std::uint8_t>());
    const Bytes exact(frame.begin(), frame.end());
    const auto message = unpack_cluster_message(exact, group());
    // What was accepted keeps every bound, so it can be sent as well.
    if (message) RC_ASSERT(unpack_cluster_message(frame_of(*message), group()) == *message);
}

RC_GTEST_PROP(WireClusterProperty, fields_of_any_bytes_are_read_without_harm, ()) {
    Bytes frame = frame_of(Valid{});
    const Bytes fields = any_bytes(80);
    set_size(frame, 12 + fields.size());
    frame[kind_at] = static_cast<std::byte>(*rc::gen::inRange(1, 9));
    std::copy(fields.begin(), fields.end(), frame.begin() + fields_at);
    const auto message = unpack_cluster_message(frame, group());
    if (message) RC_ASSERT(frame_of(*message) == frame);
}

RC_GTEST_PROP(WireClusterProperty, any_bytes_are_read_without_harm, ()) {
    const Bytes bytes = any_bytes(400);
    RC_ASSERT(!unpack_cluster_message(bytes, group()).has_value());
    static_cast<void>(unpack_legacy_checkpoint(bytes, *rc::gen::inRange<std::uint64_t>(0, 2000)));
}

}  // namespace
}  // namespace cmirror::wire_test
