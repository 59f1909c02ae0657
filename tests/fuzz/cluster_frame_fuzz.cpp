// Frames of a log's group, of both protocols, and the states that they carry in chunks. What was read can be said
// again; a state that was taken in stays consistent whatever happens next.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "actors/mirror_log/log_state.hpp"
#include "actors/mirror_log/state_transfer.hpp"
#include "messages/invariant.hpp"
#include "messages/wire_cluster.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace cmirror {
namespace {

using mirror_log::LogState;
using mirror_log::StateChanges;
using mirror_log::StateReceiver;

constexpr std::uint64_t region_count = 130;
constexpr std::uint64_t state_size_max = 1U << 20U;
constexpr std::size_t header_size = 184;
constexpr std::size_t data_size_at = 180;

const Uuid& group() {
    static const Uuid uuid = *Uuid::from_text("LVM-test");
    return uuid;
}

void try_state(std::span<const std::byte> bytes, fuzz::Input input) {
    LogState state(region_count);
    if (!state.load(bytes)) return;
    const auto saved = state.save();
    LogState copy(region_count);
    CMIRROR_INVARIANT(copy.load(saved));
    CMIRROR_INVARIANT(copy.save() == saved);
    StateChanges changes;
    for (int i = 0; i < 24; ++i) {
        const MemberId member{input.below(4), input.below(2)};
        const mirror_log::Member* known = state.member(member);
        const std::uint64_t seq = known != nullptr ? known->next_seq : 0;
        const auto kind = static_cast<OpKind>(1 + input.below(19));
        switch (input.below(6)) {
            case 0:
                if (known == nullptr) state.joined(member);
                break;
            case 1:
                state.left(member, static_cast<ChangeReason>(1 + input.below(5)), changes);
                break;
            case 2:
                state.became_valid(member);
                break;
            default:
                state.apply(member,
                            {known != nullptr ? known->token : 0,
                             seq,
                             known != nullptr ? known->luid : 0,
                             {{kind, input.some_number() >> 1U, 1 + input.below(40)}}},
                            changes);
        }
        changes.clear();
    }
    CMIRROR_INVARIANT(LogState(region_count).load(state.save()));
}

void try_message(std::span<const std::byte> frame) {
    const auto message = unpack_cluster_message(frame, group());
    if (!message) return;
    const auto packed = pack_cluster_message(*message, group());
    CMIRROR_INVARIANT(unpack_cluster_message(packed, group()) == *message);
    const auto* chunk = std::get_if<StateChunk>(&*message);
    if (chunk == nullptr) return;
    StateReceiver receiver({1, 1}, chunk->transfer, state_size_max);
    if (receiver.take(*chunk) == StateReceiver::Taken::complete) try_state(receiver.state(), fuzz::Input({}));
}

/// The bytes behind a header in which all is as it should be.
void try_data(std::span<const std::byte> data) {
    auto frame = pack_cluster_message(LegacyFrame{1, 0, 5, 0, 1, 1, {}}, group());
    CMIRROR_INVARIANT(frame.size() >= header_size);
    frame.resize(header_size);
    const std::uint64_t size = data.size();
    for (unsigned i = 0; i < 4; ++i)
        frame[data_size_at + i] = static_cast<std::byte>(size >> (8 * i));
    frame.insert(frame.end(), data.begin(), data.end());
    try_message(frame);
}

void try_checkpoint(std::span<const std::byte> data) {
    const auto checkpoint = unpack_legacy_checkpoint(data, region_count);
    if (!checkpoint) return;
    const auto packed = pack_legacy_checkpoint(*checkpoint, region_count);
    CMIRROR_INVARIANT(unpack_legacy_checkpoint(packed, region_count) == *checkpoint);
}

}  // namespace
}  // namespace cmirror

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cmirror;
    fuzz::Input input(data, size);
    switch (input.below(4)) {
        case 0:
            try_message(input.rest());
            break;
        case 1:
            try_data(input.rest());
            break;
        case 2: {
            const fuzz::Input events(input.take(96));
            try_state(input.rest(), events);
            break;
        }
        default:
            try_checkpoint(input.rest());
    }
    return 0;
}
