#include "tests/sim/checkers/equal_states.hpp"

#include "tests/sim/checkers/members.hpp"

namespace cmirror::sim {

namespace {

/// The whole state is compared now and then, its digest always.
constexpr std::uint64_t whole_every = 64;

}  // namespace

void EqualStatesChecker::at_rest() {
    for (const Mirror& mirror : world_.mirrors()) {
        const std::vector<LogMember> members = quorate_members(world_, mirror);
        if (members.size() < 2) continue;
        const LogMember& first = members.front();
        const bool whole = ++compared_ % whole_every == 0;
        const std::vector<std::byte> saved = whole ? first.state().save() : std::vector<std::byte>{};
        for (const LogMember& member : members) {
            if (&member == &first || taken_for_legacy(world_, member, first) || taken_for_legacy(world_, first, member))
                continue;
            const bool equal = member.state().ordinal() == first.state().ordinal() &&
                               member.state().digest() == first.state().digest() &&
                               (!whole || member.state().save() == saved);
            if (equal) continue;
            return violated(member.node->id, "its state differs from node " + std::to_string(first.node->id) +
                                                 "'s: ordinals " + std::to_string(member.state().ordinal()) + ", " +
                                                 std::to_string(first.state().ordinal()));
        }
    }
}

}  // namespace cmirror::sim
