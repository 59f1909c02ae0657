// Members that a log waits for, and whether that has lasted so long that somebody should look.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/mirror_log/effects.hpp"
#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// Whose word is waited for: a process that hangs, or none of a cmirrord that has joined the group, holds up all that
/// needs the group.
class SilenceWatch {
  public:
    static constexpr Instant first_line = std::chrono::seconds(10);
    static constexpr Instant between_lines = std::chrono::seconds(60);

    /// Who is waited for from now on; the time begins anew when somebody was heard.
    void note(std::vector<MemberId> awaited, Instant now) {
        if (awaited == awaited_) return;
        awaited_ = std::move(awaited);
        due_.reset();
        if (!awaited_.empty()) due_ = now + first_line;
    }
    /// When the next line is worth saying; nothing while nobody is waited for.
    std::optional<Instant> due() const { return due_; }
    /// That line, once its time has come.
    std::optional<std::string> tell(Instant now) {
        if (!due_ || now < *due_) return std::nullopt;
        due_ = now + between_lines;
        std::string names;
        for (const MemberId member : awaited_)
            names += (names.empty() ? "" : ", ") + std::string("node ") + std::to_string(member.node) + " (process " +
                     std::to_string(member.process) + ")";
        return "what needs the group waits for a word of " + names +
               ": let that process go on; end it if it is no cmirrord, or hangs";
    }

  private:
    std::vector<MemberId> awaited_;
    std::optional<Instant> due_;
};

}  // namespace cmirror::mirror_log
