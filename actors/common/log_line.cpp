#include "actors/common/log_line.hpp"

#include <array>
#include <cstdio>
#include <utility>

#include "messages/invariant.hpp"

namespace cmirror {

std::string hexadecimal(Luid luid) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(luid));
    return text.data();
}

std::optional<std::uint64_t> LineLimiter::admit(std::string_view kind, TimePoint now) {
    auto found = kinds_.find(kind);
    if (found == kinds_.end()) {
        const bool full = kinds_.size() >= kinds_max;
        const auto [place, added] = kinds_.try_emplace(full ? std::string("(others)") : std::string(kind));
        found = place;
        if (added) {
            found->second.last_passed = now;
            return 0;
        }
    }
    CMIRROR_INVARIANT(kinds_.size() <= kinds_max + 1);
    auto& entry = found->second;
    if (now - entry.last_passed < interval_) {
        ++entry.held_back;
        return std::nullopt;
    }
    entry.last_passed = now;
    return std::exchange(entry.held_back, 0);
}

void LineLimiter::add(LogLines& lines, LogLevel level, std::string_view kind, std::string text, TimePoint now) {
    const auto held_back = admit(kind, now);
    if (!held_back) return;
    if (*held_back > 0) text += " (" + std::to_string(*held_back) + " more since the last such line)";
    lines.push_back({level, std::move(text)});
}

}  // namespace cmirror
