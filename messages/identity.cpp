#include "messages/identity.hpp"

#include <algorithm>

namespace cmirror {

std::optional<Uuid> Uuid::from_text(std::string_view text) {
    if (text.empty() || text.size() > length_max || text.find('\0') != std::string_view::npos) return std::nullopt;
    Uuid uuid;
    std::copy(text.begin(), text.end(), uuid.characters_.begin());
    uuid.length_ = static_cast<std::uint8_t>(text.size());
    return uuid;
}

std::string ProgramVersion::text() const {
    if (number == 0) return {};
    return std::to_string(number >> 16U) + '.' + std::to_string(number >> 8U & 0xFFU) + '.' +
           std::to_string(number & 0xFFU);
}

}  // namespace cmirror
