// What happens in the world, told to checkers, counters and the story.
#include "messages/invariant.hpp"
#include "tests/sim/legacy_daemon.hpp"
#include "tests/sim/mapped_device.hpp"
#include "tests/sim/rare_paths.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

void World::asked(Node& node, const KernelRequest& request, unsigned copies, std::size_t room) {
    if (node.legacy_daemon) return;
    if (request.type == RequestType::resume)
        for (std::size_t i = 0; i < mirrors_.size(); ++i)
            if (mirrors_[i].table.uuid == request.uuid) activating_.emplace(node.id, i);
    for (auto& checker : checkers_)
        checker->asked(node, request, copies, room);
}

void World::replied(Node& node, const UnpackedKernelReply& reply) {
    if (node.legacy_daemon) return;
    for (auto& checker : checkers_)
        checker->replied(node, reply);
}

void World::answered(Node& node, const KernelRequest& request, const Answer& answer) {
    if (tracing())
        tell(node, "  " + describe(request) + " -> " +
                       (answer.error != 0 ? "error " + std::to_string(answer.error)
                                          : std::to_string(answer.first) +
                                                (answer.size == 16 ? ", " + std::to_string(answer.second) : "")));
    if (node.legacy_daemon) return;
    for (auto& checker : checkers_)
        checker->answered(node, request, answer);
}

void World::write_dispatched(Node& node, MappedDevice& device, MirrorTarget& target, const Bio& bio, bool all_legs) {
    if (tracing())
        tell(node, "writes version " + std::to_string(bio.version) + " to region " + std::to_string(bio.slot.region) +
                       (all_legs ? "" : ", primary leg alone"));
    if (!all_legs) count("path: write to the primary leg alone");
    if (node.legacy) beside_legacy_.touched(device.mirror(), bio.slot.region);
    for (auto& checker : checkers_)
        checker->write_dispatched(node, device, target, bio, all_legs);
}

void World::leg_written(Node& node, MappedDevice& device, Slot slot, Leg leg, Version version) {
    if (tracing())
        tell(node, "leg " + std::to_string(leg) + " of region " + std::to_string(slot.region) + " has version " +
                       std::to_string(version) + ": " + device.data().describe(slot.region));
}

void World::copy_started(Node& node, MappedDevice& device, MirrorTarget& target, RegionNumber region) {
    if (tracing()) tell(node, "copies region " + std::to_string(region));
    if (node.legacy) beside_legacy_.touched(device.mirror(), region);
    for (auto& checker : checkers_)
        checker->copy_started(node, device, target, region);
}

void World::was_read(Node& node, MappedDevice& device, Slot slot, Version floor, Version version) {
    for (auto& checker : checkers_)
        checker->was_read(node, device, slot, floor, version);
    device.data().was_read(slot, version);
}

void World::line(Node& node, LogLevel level, std::string_view text) {
    if (const auto path = path_of_line(text); !path.empty()) count(path);
    if (tracing()) tell(node, "log: " + std::string(text));
    for (std::size_t i = 0; i < mirrors_.size(); ++i)
        if (text.find(mirrors_[i].table.uuid.text()) != std::string_view::npos) started_or_joined(node, i, text);
    // What the daemon says of itself must not be said.
    const bool internal = level == LogLevel::error && text.find("internal:") != std::string_view::npos;
    const bool differs = text.find("the state differs") != std::string_view::npos;
    if (internal || differs) violation("daemon", node.id, std::string(text));
}

/// A daemon that has started again, or whose kernel resumes the mirror, knows nothing of nodes that are out of sight:
/// before its log starts anew a cluster manager has to fence them.
void World::started_or_joined(Node& node, std::size_t mirror, std::string_view line) {
    const auto says = [line](std::string_view what) { return line.find(what) != std::string_view::npos; };
    if (says(": was created again by its kernel")) activating_.emplace(node.id, mirror);
    if (says(": joined, with ")) activating_.erase({node.id, mirror});
    if (!says(": started alone: ")) return;
    mirrors_[mirror].started_anew = now();
    if (activating_.contains({node.id, mirror}))
        after(Instant{0}, [this, &node, mirror] { fence_out_of_sight(node, mirror); });
}

void World::tell(const Node& node, const std::string& text) {
    if (story) story(elapsed(), node.id, text);
}

void World::violation(std::string_view checker, NodeId node, const std::string& text) {
    if (!violation_) violation_ = Violation{std::string(checker), node, text, elapsed()};
}

void World::hand_to_legacy(Node& node, const KernelRequest& request, unsigned copies) {
    for (unsigned i = 0; i < copies; ++i)
        after(Instant{0}, [&node, request, boots = node.boots] {
            if (node.boots == boots && node.legacy_daemon) node.legacy_daemon->request(request);
        });
}

Mirror& World::mirror_of(const Uuid& uuid) {
    for (Mirror& mirror : mirrors_)
        if (mirror.table.uuid == uuid) return mirror;
    CMIRROR_NEVER("only known mirrors are asked about");
}

std::string World::describe(const KernelRequest& request) const {
    std::string text = std::string(cmirror::name_of(request.type));
    if (const auto* region = std::get_if<RegionNumber>(&request.payload)) text += " " + std::to_string(*region);
    if (const auto* list = std::get_if<RegionList>(&request.payload))
        for (const RegionNumber region : *list)
            text += " " + std::to_string(region);
    if (const auto* sync = std::get_if<RegionSync>(&request.payload))
        text += " " + std::to_string(sync->region) + (sync->in_sync ? " 1" : " 0");
    if (mirrors_.size() > 1) text += " of " + std::string(request.uuid.text());
    return text + " [" + hexadecimal(request.luid) + " #" + std::to_string(request.seq) + "]";
}

void Checker::violated(NodeId node, const std::string& text) {
    world_.violation(name(), node, text);
}

}  // namespace cmirror::sim
