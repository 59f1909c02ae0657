// The part of a saved state that speaks of legacy members.
#include "actors/mirror_log/log_state.hpp"
#include "actors/mirror_log/state_bytes.hpp"

namespace cmirror::mirror_log {

void LogState::save_legacy(StateWriter& out) const {
    out.number(static_cast<std::uint64_t>(legacy_.mode));
    out.number(legacy_.joins);
    out.number(legacy_.older.size());
    for (const MemberId id : legacy_.older)
        out.member(id);
    out.number(legacy_.suspects.size());
    for (const auto& [region, members] : legacy_.suspects) {
        out.number(region);
        out.number(members);
    }
    if (!mixed()) return;
    legacy_.copy->save(out);
    out.number(legacy_.undecided ? 1 : 0);
    out.member(legacy_.undecided.value_or(MemberId{}));
    out.number(legacy_.checkpoints.size());
    for (const auto& [id, checkpoint] : legacy_.checkpoints) {
        out.member(id);
        out.bytes(pack_legacy_checkpoint(checkpoint, region_count()));
    }
    out.number(legacy_.requests.size());
    for (const LegacyRequest& request : legacy_.requests) {
        out.member(request.origin);
        out.number(request.through);
        for (const std::uint32_t field :
             {request.response.originator, request.response.version, static_cast<std::uint32_t>(request.response.error),
              request.response.seq, request.response.type})
            out.number(field);
        out.bytes(request.response.data);
    }
}

void LogState::load_legacy(StateReader& in) {
    const std::uint64_t mode = in.number();
    if (mode > static_cast<std::uint64_t>(LegacyGroup::Mode::mixed)) return in.fail();
    legacy_.mode = static_cast<LegacyGroup::Mode>(mode);
    legacy_.joins = in.number();
    for (std::uint64_t n = in.count(8); n > 0 && in.good(); --n)
        legacy_.older.push_back(in.member());
    for (std::uint64_t n = in.count(16); n > 0 && in.good(); --n) {
        const RegionNumber region = in.region();
        legacy_.suspects[region] = in.number();
    }
    if (!mixed()) return;
    legacy_.copy.emplace(region_count());
    legacy_.copy->load(in);
    const bool undecided = in.number() != 0;
    const MemberId who = in.member();
    if (undecided) legacy_.undecided = who;
    find_differing();
    for (std::uint64_t n = in.count(16); n > 0 && in.good(); --n) {
        const MemberId id = in.member();
        const auto checkpoint = unpack_legacy_checkpoint(in.bytes(), region_count());
        if (!checkpoint) return in.fail();
        legacy_.checkpoints[id] = *checkpoint;
    }
    for (std::uint64_t n = in.count(64); n > 0 && in.good(); --n) {
        LegacyRequest request;
        request.origin = in.member();
        request.through = in.number();
        request.response.originator = static_cast<NodeId>(in.number());
        request.response.version = static_cast<std::uint32_t>(in.number());
        request.response.error = static_cast<std::int32_t>(static_cast<std::uint32_t>(in.number()));
        request.response.seq = static_cast<std::uint32_t>(in.number());
        request.response.type = static_cast<std::uint32_t>(in.number());
        request.response.data = in.bytes();
        legacy_.requests.push_back(std::move(request));
    }
}

}  // namespace cmirror::mirror_log
