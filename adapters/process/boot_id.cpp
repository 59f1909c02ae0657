#include "adapters/process/boot_id.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace cmirror {
namespace {

std::optional<std::uint8_t> digit_of(char character) {
    if (character >= '0' && character <= '9') return static_cast<std::uint8_t>(character - '0');
    if (character >= 'a' && character <= 'f') return static_cast<std::uint8_t>(character - 'a' + 10);
    return std::nullopt;
}

}  // namespace

std::optional<BootId> boot_id_from_text(std::string_view text) {
    constexpr std::size_t length = 36;
    if (text.size() != length) return std::nullopt;
    BootId id{};
    std::size_t digits = 0;
    for (std::size_t i = 0; i < length; ++i) {
        const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen != (text[i] == '-')) return std::nullopt;
        if (hyphen) continue;
        const auto digit = digit_of(text[i]);
        if (!digit) return std::nullopt;
        auto& byte = id[digits++ / 2];
        byte = static_cast<std::uint8_t>(byte << 4U | *digit);
    }
    return id;
}

Result<BootId, std::string> read_boot_id(const std::string& path) {
    std::ifstream file{path};
    std::string line;
    if (!std::getline(file, line))
        return Failure<std::string>{"cannot read " + path + ": " + std::strerror(errno) + "; is /proc mounted?"};
    const auto id = boot_id_from_text(line);
    if (!id) return Failure<std::string>{path + " holds no boot id: " + line};
    return *id;
}

}  // namespace cmirror
