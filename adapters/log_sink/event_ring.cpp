#include "adapters/log_sink/event_ring.hpp"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "adapters/log_sink/log_sinks.hpp"

namespace cmirror {
namespace {

/// "2026-11-23 12:00:00.123456" in universal time.
std::string time_text(EventRing::Clock::time_point at) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(at - seconds).count();
    const time_t whole = EventRing::Clock::to_time_t(seconds);
    tm utc{};
    ::gmtime_r(&whole, &utc);
    char text[64];
    const auto size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
    std::snprintf(text + size, sizeof text - size, ".%06d", static_cast<int>(micros));
    return text;
}

std::string text_of(const AnsweredRequest& request) {
    char text[160];
    const auto name = name_of(request.type);
    std::snprintf(text, sizeof text, "answer  %.*s luid 0x%llx seq %u: %s, %.3f ms", static_cast<int>(name.size()),
                  name.data(), static_cast<unsigned long long>(request.luid), request.seq,
                  request.error == 0 ? "done" : std::strerror(-request.error),
                  std::chrono::duration<double, std::milli>(request.took).count());
    return text;
}

/// The items of a ring of which `count` were written, the oldest first.
template <class Item, class Use>
void for_each(const std::vector<Item>& ring, std::uint64_t count, Use use) {
    const auto kept = std::min<std::uint64_t>(count, ring.size());
    for (auto i = count - kept; i < count; ++i)
        use(ring[i % ring.size()]);
}

}  // namespace

EventRing::EventRing(std::unique_ptr<LogSink> sink, Clock::time_point (*now)())
    : sink_(std::move(sink)), now_(now), lines_(lines_max), answers_(answers_max) {
    for (auto& line : lines_)
        line.text.reserve(line_bytes_max);
}

void EventRing::write_about(const LogSubject& subject, LogLevel level, std::string_view line) noexcept {
    {
        const std::lock_guard guard(mutex_);
        auto& place = lines_[lines_count_++ % lines_.size()];
        place.at = now_();
        place.level = level;
        // No longer than what was reserved.
        place.text.assign(line.substr(0, line_bytes_max));
    }
    sink_->write_about(subject, level, line);
}

void EventRing::answered(const AnsweredRequest& request) noexcept {
    const std::lock_guard guard(mutex_);
    answers_[answers_count_++ % answers_.size()] = {now_(), request};
}

std::vector<std::string> EventRing::recent() const {
    std::vector<std::pair<Clock::time_point, std::string>> events;
    {
        const std::lock_guard guard(mutex_);
        for_each(lines_, lines_count_, [&](const Line& line) {
            std::string level(name_of(line.level));
            level.resize(8, ' ');
            events.emplace_back(line.at, level + line.text);
        });
        for_each(answers_, answers_count_,
                 [&](const Answer& answer) { events.emplace_back(answer.at, text_of(answer.request)); });
    }
    std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> lines;
    lines.reserve(events.size());
    for (const auto& [at, text] : events)
        lines.push_back(time_text(at) + " " + text);
    return lines;
}

}  // namespace cmirror
