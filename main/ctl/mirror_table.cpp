#include "main/ctl/mirror_table.hpp"

#include <charconv>
#include <sstream>

namespace cmirror::ctl {
namespace {

/// Words one after the other; an absent one spoils the whole.
class Words {
  public:
    explicit Words(std::string_view text) : in_(std::string(text)) {}

    bool good() const { return good_; }
    std::string word() {
        std::string next;
        good_ = good_ && static_cast<bool>(in_ >> next);
        return next;
    }
    std::uint64_t number() {
        const auto text = word();
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        good_ = good_ && error == std::errc{} && end == text.data() + text.size();
        return value;
    }
    bool at_end() { return (in_ >> std::ws).eof(); }

  private:
    std::istringstream in_;
    bool good_ = true;
};

constexpr std::uint64_t words_max = 64;

}  // namespace

std::string table_text(const MirrorTable& table) {
    const bool on_disk = !table.log_device.empty();
    const auto words = 3 + (on_disk ? 1 : 0) + table.options.size();
    std::string text = "userspace " + std::to_string(words) + " " + table.log_uuid;
    text += on_disk ? " clustered-disk " + table.log_device : " clustered-core";
    text += " " + std::to_string(table.region_sectors);
    for (const auto& option : table.options)
        text += " " + option;
    text += " " + std::to_string(table.legs.size());
    for (const auto& leg : table.legs)
        text += " " + leg + " 0";
    return text + (table.handle_errors ? " 1 handle_errors" : "");
}

std::optional<MirrorTable> parse_table(std::string_view parameters) {
    Words words(parameters);
    MirrorTable table;
    if (words.word() != "userspace") return std::nullopt;
    auto left = words.number();
    table.log_uuid = words.word();
    const auto type = words.word();
    const bool on_disk = type == "clustered-disk";
    if (!on_disk && type != "clustered-core") return std::nullopt;
    const std::uint64_t fixed = on_disk ? 4 : 3;
    if (!words.good() || left < fixed || left > words_max) return std::nullopt;
    if (on_disk) table.log_device = words.word();
    table.region_sectors = words.number();
    for (left -= fixed; left > 0; --left)
        table.options.push_back(words.word());
    const auto legs = words.number();
    if (!words.good() || legs > words_max) return std::nullopt;
    for (std::uint64_t leg = 0; leg < legs; ++leg) {
        table.legs.push_back(words.word());
        words.number();
    }
    table.handle_errors = false;
    if (words.good() && !words.at_end()) {
        for (auto features = words.number(); words.good() && features > 0 && features < words_max; --features)
            table.handle_errors |= words.word() == "handle_errors";
    }
    if (!words.good()) return std::nullopt;
    return table;
}

std::string leg_letters(std::string_view status) {
    Words words(status);
    const auto legs = words.number();
    if (!words.good() || legs == 0 || legs > words_max) return {};
    for (std::uint64_t leg = 0; leg < legs; ++leg)
        words.word();
    // How much is in sync, and how many words are about health.
    words.word();
    if (words.number() != 1) return {};
    const auto letters = words.word();
    return words.good() && letters.size() == legs ? letters : std::string{};
}

}  // namespace cmirror::ctl
