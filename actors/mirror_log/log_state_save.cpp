// The whole state as bytes: what a joiner gets.
#include "actors/mirror_log/log_state.hpp"
#include "actors/mirror_log/state_bytes.hpp"

namespace cmirror::mirror_log {

namespace {

constexpr std::uint64_t format = 6;

}  // namespace

std::vector<std::byte> LogState::save() const {
    StateWriter out;
    out.number(format);
    out.number(region_count());
    out.number(lineage_);
    out.number(ordinal_);
    out.number(digest_);
    out.number(ever_full_ ? 1 : 0);
    for (const RegionMap* map : {&sync_, &clean_, &reached_})
        out.map(*map);
    out.number(members_.size());
    for (const Member& m : members_) {
        out.member(m.id);
        out.number((m.introduced ? 1U : 0U) | (m.valid ? 2U : 0U) | (m.legacy ? 4U : 0U) | (m.legacy_valid ? 8U : 0U));
        out.number(m.legacy_joins);
        out.number(m.token);
        out.boot(m.boot);
        out.number(m.luid);
        out.number(m.version.number);
        out.number(m.next_seq);
        out.number(m.relieved);
        out.number(m.handed_over);
    }
    out.number(boots_.size());
    for (const auto& [owner, boot] : boots_) {
        out.owner(owner);
        out.boot(boot);
        out.number((marks_.has_everything(owner) ? 1U : 0U) | (suspending_.contains(owner) ? 2U : 0U) |
                   (outdated_.contains(owner) ? 4U : 0U));
        out.regions(marks_.of(owner));
    }
    out.number(grants_.runs().size());
    for (const auto& [first, run] : grants_.runs()) {
        out.owner(run.owner);
        out.number(run.first);
        out.number(run.count);
        out.number(run.later ? 1 : 0);
    }
    out.number(failed_.size());
    for (const auto& [region, owners] : failed_) {
        out.number(region);
        out.number(owners.size());
        for (const Owner owner : owners)
            out.owner(owner);
    }
    out.number(tried_.size());
    for (const auto& [owner, region] : tried_) {
        out.owner(owner);
        out.number(region);
    }
    out.number(asks_.size());
    for (const Ask& ask : asks_) {
        out.owner(ask.owner);
        out.number(ask.count);
    }
    out.regions(wanted_);
    out.regions(overtaken_);
    out.number(copied_as_well_.size());
    for (const auto& [region, owner] : copied_as_well_) {
        out.owner(owner);
        out.number(region);
    }
    out.regions(priority_);
    out.number(held_.size());
    for (const HeldMark& h : held_) {
        out.owner(h.owner);
        out.number(h.region);
        out.member(h.origin);
        out.number(h.seq);
    }
    save_legacy(out);
    return out.take();
}

template <class Out>
void LogState::save_legacy(Out& out) const {
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

template <class In>
void LogState::load_legacy(In& in) {
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

template <class In>
void LogState::load_owners(In& in) {
    for (std::uint64_t n = in.count(96); n > 0 && in.good(); --n) {
        Member m;
        m.id = in.member();
        const std::uint64_t flags = in.number();
        m.introduced = (flags & 1U) != 0;
        m.valid = (flags & 2U) != 0;
        m.legacy = (flags & 4U) != 0;
        m.legacy_valid = (flags & 8U) != 0;
        m.legacy_joins = in.number();
        m.token = in.number();
        m.boot = in.boot();
        m.luid = in.number();
        m.version.number = static_cast<std::uint32_t>(in.number());
        m.next_seq = in.number();
        m.relieved = in.number();
        m.handed_over = in.number();
        members_.push_back(m);
    }
    for (std::uint64_t n = in.count(48); n > 0 && in.good(); --n) {
        const Owner owner = in.owner();
        boots_[owner] = in.boot();
        const std::uint64_t flags = in.number();
        if ((flags & 1U) != 0) marks_.add_everything(owner);
        if ((flags & 2U) != 0) suspending_.insert(owner);
        if ((flags & 4U) != 0) outdated_.insert(owner);
        for (std::uint64_t k = in.count(8); k > 0 && in.good(); --k)
            marks_.add(owner, in.region());
    }
}

bool LogState::load(std::span<const std::byte> bytes) {
    StateReader in(bytes, region_count());
    if (in.number() != format || in.number() != region_count()) return false;
    lineage_ = in.number();
    ordinal_ = in.number();
    digest_ = in.number();
    ever_full_ = in.number() != 0;
    for (RegionMap* map : {&sync_, &clean_, &reached_})
        in.map(*map);
    load_owners(in);
    for (std::uint64_t n = in.count(32); n > 0 && in.good(); --n) {
        Run run;
        run.owner = in.owner();
        run.first = in.region();
        run.count = in.number();
        run.later = in.number() != 0;
        const bool fits = run.count > 0 && run.count <= region_count() - run.first;
        const auto next = grants_.runs().lower_bound(run.first);
        if (!fits || next != grants_.runs().end() || grants_.run_of(run.first) != nullptr) return false;
        grants_.grant(run);
    }
    for (std::uint64_t n = in.count(32); n > 0 && in.good(); --n) {
        const RegionNumber region = in.region();
        for (std::uint64_t k = in.count(16); k > 0 && in.good(); --k)
            failed_[region].insert(in.owner());
    }
    for (std::uint64_t n = in.count(24); n > 0 && in.good(); --n) {
        const Owner owner = in.owner();
        tried_.insert({owner, in.region()});
    }
    for (std::uint64_t n = in.count(24); n > 0 && in.good(); --n) {
        const Owner owner = in.owner();
        asks_.push_back({owner, in.number()});
    }
    for (std::uint64_t n = in.count(8); n > 0 && in.good(); --n)
        wanted_.insert(in.region());
    for (std::uint64_t n = in.count(8); n > 0 && in.good(); --n)
        overtaken_.insert(in.region());
    for (std::uint64_t n = in.count(24); n > 0 && in.good(); --n) {
        const Owner owner = in.owner();
        copied_as_well_.insert({in.region(), owner});
    }
    for (std::uint64_t n = in.count(8); n > 0 && in.good(); --n) {
        const RegionNumber region = in.region();
        if (priority_set_.insert(region).second) priority_.push_back(region);
    }
    for (std::uint64_t n = in.count(40); n > 0 && in.good(); --n) {
        HeldMark held;
        held.owner = in.owner();
        held.region = in.region();
        held.origin = in.member();
        held.seq = in.number();
        held_.push_back(held);
    }
    load_legacy(in);
    find_orphans();
    return in.at_end();
}

}  // namespace cmirror::mirror_log
