// Constructor strings of a table line.
#include <bit>
#include <string>

#include "actors/mirror_log/constructor_arguments.hpp"
#include "messages/invariant.hpp"
#include "tests/fuzz/fuzz_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cmirror::mirror_log;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto parsed = parse_constructor_arguments(text);
    if (!parsed) {
        CMIRROR_INVARIANT(!describe(parsed.error()).empty());
        return 0;
    }
    CMIRROR_INVARIANT(parsed->region_count >= 1 && parsed->region_count <= region_count_max);
    CMIRROR_INVARIANT(std::has_single_bit(parsed->region_size_sectors));
    CMIRROR_INVARIANT(parsed->region_size_sectors <= region_size_max);
    CMIRROR_INVARIANT(parsed->region_count - 1 == (parsed->device_sectors - 1) / parsed->region_size_sectors);
    CMIRROR_INVARIANT(parsed->disk_log == !parsed->device.empty() && parsed->device.size() <= device_name_max);
    // What it means does not depend on how it is written.
    std::string again = std::to_string(parsed->device_sectors);
    again += parsed->disk_log ? " clustered-disk " + parsed->device : std::string(" clustered-core");
    again += " " + std::to_string(parsed->region_size_sectors);
    if (parsed->sync == ConstructorArguments::Sync::sync) again += " sync";
    if (parsed->sync == ConstructorArguments::Sync::nosync) again += " nosync";
    if (parsed->block_on_error) again += " block_on_error";
    CMIRROR_INVARIANT(parse_constructor_arguments(again) == *parsed);
    return 0;
}
