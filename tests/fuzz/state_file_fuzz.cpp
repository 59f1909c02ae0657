// State files that an earlier daemon may have left: what is not this instance's own, whole and sound, is not believed,
// and a log that is created again with one serves.
#include <algorithm>
#include <vector>

#include "messages/invariant.hpp"
#include "messages/wire_state_file.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/unit/log_cluster.hpp"

namespace cmirror {
namespace {

constexpr std::uint64_t region_count = 500;
constexpr const char* arguments = "4000 clustered-core 8";

void add(std::vector<std::byte>& file, const StatePatch& patch) {
    file.resize(std::max(file.size(), static_cast<std::size_t>(patch.offset) + patch.bytes.size()));
    std::copy(patch.bytes.begin(), patch.bytes.end(), file.begin() + static_cast<std::ptrdiff_t>(patch.offset));
}

/// A file whose checksums are right, of whatever the input says.
std::vector<std::byte> sound_file(const KeptIdentity& own, fuzz::Input& input) {
    KeptIdentity identity = own;
    if (input.below(8) == 0) identity.luid = input.number();
    if (input.below(8) == 0) identity.region_count = 1 + input.number(2);
    if (input.below(8) == 0) identity.region_size_sectors = input.number();
    KeptStanding standing;
    const std::uint8_t flags = input.byte();
    standing.presuspended = (flags & 1U) != 0;
    standing.reconnecting = (flags & 6U) == 6U;
    if ((flags & 8U) != 0) standing.copying = input.some_number();
    standing.ring = input.some_number();
    std::vector<std::byte> file(state_file_size(identity.region_count));
    add(file, pack_state_identity(identity));
    add(file, pack_state_standing(standing));
    for (const StateMap map : {StateMap::live, StateMap::in_sync, StateMap::reached}) {
        RegionWords words(region_words(identity.region_count));
        for (std::uint64_t& word : words)
            word = input.number();
        add(file, pack_state_lines(map, identity, words, 0, state_map_lines(identity.region_count)));
    }
    return file;
}

void try_successor(const std::vector<std::byte>& file, bool other_member) {
    using mirror_log::LogCluster;
    LogCluster cluster(arguments);
    cluster.start(1);
    if (other_member) cluster.start(2);
    cluster.kill(1);
    cluster[1].state_file = file;
    cluster.restart(1, false);
    cluster.advance(std::chrono::seconds{30});
    const auto mark = cluster.call(1, RequestType::mark_region, LogCluster::regions({3}));
    CMIRROR_INVARIANT(mark && mark->error == 0);
    const std::uint32_t flush = cluster.ask(1, RequestType::flush, RegionList{});
    cluster.advance(std::chrono::seconds{30});
    CMIRROR_INVARIANT(cluster.reply_to(1, flush).has_value());
    if (!other_member) return;
    CMIRROR_INVARIANT(cluster[1].core->valid() && cluster[2].core->valid());
    CMIRROR_INVARIANT(cluster[1].core->state()->save() == cluster[2].core->state()->save());
}

KeptIdentity own_identity() {
    static const std::vector<std::byte> file = [] {
        mirror_log::LogCluster cluster(arguments);
        return cluster.start(1).state_file;
    }();
    const auto kept = unpack_state_file(file);
    CMIRROR_INVARIANT(kept.has_value() && kept->identity.region_count == region_count);
    return kept->identity;
}

}  // namespace
}  // namespace cmirror

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cmirror;
    fuzz::Input input(data, size);
    const std::uint8_t flags = input.byte();
    std::vector<std::byte> file;
    if ((flags & 1U) != 0) {
        file = sound_file(own_identity(), input);
    } else {
        const auto rest = input.rest();
        file.assign(rest.begin(), rest.end());
    }
    if ((flags & 2U) != 0 && !file.empty()) {
        const std::size_t at = input.number(4) % file.size();
        file[at] ^= static_cast<std::byte>(input.byte() | 1U);
        // Every byte that is written is under a checksum; a hole that is none any more is found as well.
        if ((flags & 1U) != 0) CMIRROR_INVARIANT(!unpack_state_file(file).has_value());
    }
    if (const auto kept = unpack_state_file(file)) {
        CMIRROR_INVARIANT(kept->live.size() == region_words(kept->identity.region_count));
        CMIRROR_INVARIANT(kept->in_sync.size() == kept->live.size() && kept->reached.size() == kept->live.size());
        CMIRROR_INVARIANT(!kept->standing.copying || *kept->standing.copying < kept->identity.region_count);
    }
    try_successor(file, (flags & 4U) != 0);
    return 0;
}
