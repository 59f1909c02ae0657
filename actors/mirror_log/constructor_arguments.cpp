#include "actors/mirror_log/constructor_arguments.hpp"

#include <bit>
#include <charconv>
#include <optional>
#include <vector>

namespace cmirror::mirror_log {

namespace {

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t begin = text.find_first_not_of(" \t\n");
        if (begin == std::string_view::npos) return words;
        text.remove_prefix(begin);
        const std::size_t end = text.find_first_of(" \t\n");
        words.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return words;
        text.remove_prefix(end);
    }
}

/// A whole decimal number above 0.
std::optional<std::uint64_t> positive(std::string_view word) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || value == 0) return std::nullopt;
    return value;
}

std::optional<ConstructorFault> parse_option(std::string_view word, ConstructorArguments& arguments) {
    using Sync = ConstructorArguments::Sync;
    if (word == "sync" || word == "nosync") {
        if (arguments.sync != Sync::default_) return ConstructorFault::repeated_option;
        arguments.sync = word == "sync" ? Sync::sync : Sync::nosync;
        return std::nullopt;
    }
    if (word != "block_on_error") return ConstructorFault::unknown_option;
    if (arguments.block_on_error) return ConstructorFault::repeated_option;
    arguments.block_on_error = true;
    return std::nullopt;
}

}  // namespace

std::string_view describe(ConstructorFault fault) {
    switch (fault) {
        case ConstructorFault::too_few_arguments:
            return "too few arguments; a log type, for clustered-disk a log device, and a region size are needed";
        case ConstructorFault::bad_device_size:
            return "the device's size is not a number of sectors above 0";
        case ConstructorFault::unknown_log_type:
            return "the log type is neither clustered-core nor clustered-disk";
        case ConstructorFault::bad_device_name:
            return "the log device's name is longer than 127 characters";
        case ConstructorFault::bad_region_size:
            return "the region size is not a power of two from 1 to 2147483648 sectors";
        case ConstructorFault::too_many_regions:
            return "more than 1073741824 regions; use a larger region size";
        case ConstructorFault::unknown_option:
            return "an option is none of sync, nosync and block_on_error";
        case ConstructorFault::repeated_option:
            return "an option is given twice, or both sync and nosync";
    }
    return "unknown fault";
}

Result<ConstructorArguments, ConstructorFault> parse_constructor_arguments(std::string_view text) {
    const auto fail = [](ConstructorFault fault) { return Failure<ConstructorFault>(fault); };
    const std::vector<std::string_view> words = words_of(text);
    std::size_t next = 0;
    const auto left = [&](std::size_t count) { return words.size() - next >= count; };

    ConstructorArguments arguments;
    if (!left(2)) return fail(ConstructorFault::too_few_arguments);
    const auto size = positive(words[next++]);
    if (!size) return fail(ConstructorFault::bad_device_size);
    arguments.device_sectors = *size;
    const std::string_view type = words[next++];
    if (type != "clustered-core" && type != "clustered-disk") return fail(ConstructorFault::unknown_log_type);
    arguments.disk_log = type == "clustered-disk";
    if (!left(arguments.disk_log ? 2 : 1)) return fail(ConstructorFault::too_few_arguments);
    if (arguments.disk_log) {
        arguments.device = words[next++];
        if (arguments.device.size() > device_name_max) return fail(ConstructorFault::bad_device_name);
    }
    const auto region_size = positive(words[next++]);
    if (!region_size || !std::has_single_bit(*region_size) || *region_size > region_size_max)
        return fail(ConstructorFault::bad_region_size);
    arguments.region_size_sectors = *region_size;
    arguments.region_count = (arguments.device_sectors - 1) / *region_size + 1;
    if (arguments.region_count > region_count_max) return fail(ConstructorFault::too_many_regions);
    for (; next < words.size(); ++next)
        if (const auto fault = parse_option(words[next], arguments)) return fail(*fault);
    return arguments;
}

}  // namespace cmirror::mirror_log
