#include "tests/sim/rare_paths.hpp"

#include <array>

#include "tests/sim/profile.hpp"

namespace cmirror::sim {

namespace {

struct Path {
    std::string_view part_of_line;
    std::string_view counter;
    /// Of runs beside legacy members alone.
    bool legacy = false;
};

constexpr std::array<Path, 28> paths{{
    {"took the log device over", "path: server take-over"},
    {"is served by this node now", "path: new server"},
    {"every member that had the state is gone", "path: state lost by all"},
    {"partitions merge", "path: states compared"},
    {"this side's state is kept", "path: own side's state kept"},
    {"the other side's state is taken over", "path: other side's state taken over"},
    {"corosync is gone", "path: corosync lost by a log"},
    {"quorum is lost", "path: quorum lost"},
    {"it starts anew", "path: state started anew"},
    {"has quorum again", "path: quorum again"},
    {"is gone with regions marked", "path: writer lost"},
    {"had not cleared", "path: left with marks"},
    {"is replaced: the kernel created", "path: luid used again"},
    {"cannot write its log device", "path: device write failed"},
    {"cannot read its log device", "path: device read failed"},
    {"cannot open its log device", "path: device open failed"},
    {"log device works again", "path: device works again"},
    {"asking the kernel to create it again", "path: unknown log"},
    {"its state file is given up", "path: state file given up"},
    {"and has no state file", "path: created again without a state file"},
    {"marks from its state file", "path: created again with a state file"},
    {"refused with -EINVAL", "path: bad request refused"},
    {"): dropped", "path: bad frame dropped"},
    {"did not come from the kernel", "path: foreign frame dropped"},
    {"a legacy member is there", "path: legacy member came", true},
    {"the last legacy member is gone", "path: last legacy member gone", true},
    {"joined legacy members", "path: state taken from legacy members", true},
    {"gave legacy node", "path: state given to a legacy node", true},
}};

constexpr std::array<std::string_view, 26> other_paths{
    "path: request sent again after 15 s",
    "path: late answer",
    "path: reconnect",
    "path: suspend, resume or DTR is lost",
    "path: reload after a failure",
    "path: a write failed",
    "path: a leg's cache lost a write",
    "path: partitions merged",
    "path: power cut during a device write",
    "path: write to the primary leg alone",
    "path: refreshed at the end",
    "path: a reply overtakes another",
    "path: fenced",
    "path: partition, one side with quorum",
    "path: partition without quorum on any side",
    "path: change for the reason join",
    "path: change for the reason leave",
    "path: change for the reason node down",
    "path: change for the reason node up",
    "path: change for the reason process down",
    "path: change with several entries",
    "path: multicast to be tried again",
    "path: multicast accepted and lost",
    "path: message lost as its ring broke",
    "path: message lost with its sender",
    "path: regions marked ahead of a stream of writes",
};
/// Once in a thousand seeds; asked for where there are many.
constexpr std::string_view rarest_path = "path: write to the primary leg alone";
constexpr std::uint64_t seeds_for_rarest = 10'000;
/// Beside legacy members.
constexpr std::array<std::string_view, 2> legacy_paths{"path: legacy node updated", "path: updated node boots again"};

bool only_of_partitions(std::string_view path) {
    return path.find("partition") != std::string_view::npos || path.find("side's state") != std::string_view::npos ||
           path == "path: states compared" || path == "path: fenced";
}

}  // namespace

std::string_view path_of_line(std::string_view line) {
    for (const Path& path : paths)
        if (line.find(path.part_of_line) != std::string_view::npos) return path.counter;
    return {};
}

std::vector<std::string> required_counters(const Options& options, std::uint64_t seeds) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < fault_count; ++i) {
        const Fault fault = static_cast<Fault>(i);
        if (options.legacy && fault == Fault::partition) continue;
        all.push_back("fault: " + std::string(name_of(fault)));
    }
    for (const Path& path : paths)
        if (options.legacy ? !only_of_partitions(path.counter) : !path.legacy) all.emplace_back(path.counter);
    for (const std::string_view path : other_paths)
        if (path == rarest_path ? seeds >= seeds_for_rarest : !options.legacy || !only_of_partitions(path))
            all.emplace_back(path);
    if (options.legacy)
        for (const std::string_view path : legacy_paths)
            all.emplace_back(path);
    return all;
}

}  // namespace cmirror::sim
