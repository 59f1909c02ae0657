// The whole state as bytes: what a joiner gets. Integers are little-endian; every count is checked when read.
#include <bit>
#include <cstring>

#include "actors/mirror_log/log_state.hpp"

namespace cmirror::mirror_log {

namespace {

constexpr std::uint64_t format = 2;

class Writer {
  public:
    void number(std::uint64_t value) {
        for (int i = 0; i < 8; ++i)
            bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
    void owner(Owner owner) {
        number(owner.node);
        number(owner.luid);
    }
    void member(MemberId id) { number((std::uint64_t{id.node} << 32U) | id.process); }
    void boot(const BootId& boot) {
        for (const std::uint8_t b : boot)
            bytes_.push_back(std::byte{b});
    }
    void map(const RegionMap& map) {
        static_assert(std::endian::native == std::endian::little, "words are copied as they are");
        const auto raw = std::as_bytes(map.raw());
        bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    }
    template <class Regions>
    void regions(const Regions& regions) {
        number(regions.size());
        for (const RegionNumber region : regions)
            number(region);
    }
    std::vector<std::byte> take() { return std::move(bytes_); }

  private:
    std::vector<std::byte> bytes_;
};

class Reader {
  public:
    Reader(std::span<const std::byte> bytes, std::uint64_t region_count) : bytes_(bytes), region_count_(region_count) {}

    bool good() const { return good_; }
    bool at_end() const { return good_ && bytes_.empty(); }

    std::uint64_t number() {
        std::uint64_t value = 0;
        for (int i = 0; i < 8; ++i)
            value |= std::uint64_t{byte()} << (8 * i);
        return value;
    }
    /// A count of entries of at least `size` bytes each.
    std::uint64_t count(std::size_t size) {
        const std::uint64_t n = number();
        if (n > bytes_.size() / size) fail();
        return good_ ? n : 0;
    }
    RegionNumber region() {
        const RegionNumber region = number();
        if (region >= region_count_) fail();
        return good_ ? region : 0;
    }
    Owner owner() {
        const auto node = static_cast<NodeId>(number());
        return {node, number()};
    }
    MemberId member() {
        const std::uint64_t id = number();
        return {static_cast<NodeId>(id >> 32U), static_cast<std::uint32_t>(id)};
    }
    BootId boot() {
        BootId boot{};
        for (std::uint8_t& b : boot)
            b = byte();
        return boot;
    }
    void map(RegionMap& map) {
        const std::size_t size = map.raw().size_bytes();
        if (bytes_.size() < size) return fail();
        std::vector<std::uint64_t> words(map.raw().size());
        std::memcpy(words.data(), bytes_.data(), size);
        bytes_ = bytes_.subspan(size);
        map.assign_raw(words);
    }
    void fail() {
        good_ = false;
        bytes_ = {};
    }

  private:
    std::uint8_t byte() {
        if (bytes_.empty()) {
            good_ = false;
            return 0;
        }
        const auto value = static_cast<std::uint8_t>(bytes_.front());
        bytes_ = bytes_.subspan(1);
        return value;
    }
    std::span<const std::byte> bytes_;
    std::uint64_t region_count_;
    bool good_ = true;
};

}  // namespace

std::vector<std::byte> LogState::save() const {
    Writer out;
    out.number(format);
    out.number(region_count());
    out.number(ordinal_);
    out.number(digest_);
    out.number(ever_full_ ? 1 : 0);
    for (const RegionMap* map : {&sync_, &clean_, &reached_})
        out.map(*map);
    out.number(members_.size());
    for (const Member& m : members_) {
        out.member(m.id);
        out.number((m.introduced ? 1U : 0U) | (m.valid ? 2U : 0U));
        out.number(m.token);
        out.boot(m.boot);
        out.number(m.luid);
        out.number(m.next_seq);
    }
    out.number(boots_.size());
    for (const auto& [owner, boot] : boots_) {
        out.owner(owner);
        out.boot(boot);
        out.number((marks_.has_everything(owner) ? 1U : 0U) | (suspending_.contains(owner) ? 2U : 0U));
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
    out.regions(priority_);
    out.number(held_.size());
    for (const HeldMark& h : held_) {
        out.owner(h.owner);
        out.number(h.region);
        out.member(h.origin);
        out.number(h.seq);
    }
    return out.take();
}

template <class In>
void LogState::load_owners(In& in) {
    for (std::uint64_t n = in.count(64); n > 0 && in.good(); --n) {
        Member m;
        m.id = in.member();
        const std::uint64_t flags = in.number();
        m.introduced = (flags & 1U) != 0;
        m.valid = (flags & 2U) != 0;
        m.token = in.number();
        m.boot = in.boot();
        m.luid = in.number();
        m.next_seq = in.number();
        members_.push_back(m);
    }
    for (std::uint64_t n = in.count(48); n > 0 && in.good(); --n) {
        const Owner owner = in.owner();
        boots_[owner] = in.boot();
        const std::uint64_t flags = in.number();
        if ((flags & 1U) != 0) marks_.add_everything(owner);
        if ((flags & 2U) != 0) suspending_.insert(owner);
        for (std::uint64_t k = in.count(8); k > 0 && in.good(); --k)
            marks_.add(owner, in.region());
    }
}

bool LogState::load(std::span<const std::byte> bytes) {
    Reader in(bytes, region_count());
    if (in.number() != format || in.number() != region_count()) return false;
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
    find_orphans();
    return in.at_end();
}

}  // namespace cmirror::mirror_log
