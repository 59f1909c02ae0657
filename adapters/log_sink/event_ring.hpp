// The last lines and answers, kept in memory.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "messages/ports.hpp"

namespace cmirror {

/// Passes lines on to another sink. Memory is bounded and taken at the start; the oldest give way. May be used by
/// several threads.
class EventRing final : public LogSink, public EventRecorder {
  public:
    static constexpr std::size_t lines_max = 512;
    static constexpr std::size_t line_bytes_max = 300;
    static constexpr std::size_t answers_max = 2048;
    using Clock = std::chrono::system_clock;

    explicit EventRing(std::unique_ptr<LogSink> sink, Clock::time_point (*now)() = Clock::now);

    void write(LogLevel level, std::string_view line) noexcept override { write_about({}, level, line); }
    void write_about(const LogSubject& subject, LogLevel level, std::string_view line) noexcept override;
    void answered(const AnsweredRequest& request) noexcept override;
    std::vector<std::string> recent() const override;

  private:
    struct Line {
        Clock::time_point at;
        LogLevel level = LogLevel::info;
        std::string text;
    };
    struct Answer {
        Clock::time_point at;
        AnsweredRequest request;
    };

    std::unique_ptr<LogSink> sink_;
    Clock::time_point (*now_)();
    /// Guards those below.
    mutable std::mutex mutex_;
    std::vector<Line> lines_;
    std::vector<Answer> answers_;
    /// How many there were: the next one's place, modulo the size.
    std::uint64_t lines_count_ = 0;
    std::uint64_t answers_count_ = 0;
};

}  // namespace cmirror
