// Keeps lines for a test to look at.
#pragma once

#include <string>
#include <vector>

#include "messages/ports.hpp"

namespace cmirror {

/// Not for use by several threads at once.
class FakeLogSink final : public LogSink {
  public:
    struct Line {
        LogLevel level;
        std::string text;
    };

    void write(LogLevel level, std::string_view line) noexcept override {
        lines_.push_back({level, std::string{line}});
    }

    const std::vector<Line>& lines() const { return lines_; }
    void clear() { lines_.clear(); }
    /// Whether a line of that level contains `part`.
    bool contains(LogLevel level, std::string_view part) const {
        for (const auto& line : lines_)
            if (line.level == level && line.text.find(part) != std::string::npos) return true;
        return false;
    }

  private:
    std::vector<Line> lines_;
};

}  // namespace cmirror
