#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "messages/invariant.hpp"
#include "messages/kernel_request.hpp"
#include "messages/little_endian.hpp"
#include "messages/wire_cluster_parts.hpp"

namespace cmirror {
namespace {

/// The text behind a checkpoint's bit maps, padded with NULs to this size.
constexpr std::size_t recovering_text_size = 64;

/// Words of each of a checkpoint's bit maps: one more than needed when the regions fill the last one.
constexpr std::uint64_t checkpoint_words(std::uint64_t region_count) {
    return region_count / 32 + 1;
}

/// Reverses the bytes of each group of `width`; bytes left over at the end stay.
void swap_each(std::span<std::byte> data, std::size_t width) {
    for (; data.size() >= width; data = data.subspan(width)) {
        const auto group = data.first(width);
        std::reverse(group.begin(), group.end());
    }
}

/// Whether the data of this type, request or response, is nothing but 64-bit integers.
bool carries_integers(std::uint32_t type) {
    switch (static_cast<RequestType>(type)) {
        case RequestType::get_region_size:
        case RequestType::is_clean:
        case RequestType::in_sync:
        case RequestType::flush:
        case RequestType::mark_region:
        case RequestType::clear_region:
        case RequestType::get_resync_work:
        case RequestType::set_region_sync:
        case RequestType::get_sync_count:
        case RequestType::is_remote_recovering:
            return true;
        default:
            return false;
    }
}

std::vector<std::uint32_t> unpack_words(std::span<const std::byte> bytes) {
    std::vector<std::uint32_t> words(bytes.size() / sizeof(le32));
    for (std::size_t i = 0; i < words.size(); ++i) {
        le32 word;
        std::memcpy(&word, &bytes[i * sizeof word], sizeof word);
        words[i] = word.value();
    }
    return words;
}

void append_words(std::vector<std::byte>& bytes, const std::vector<std::uint32_t>& words, std::uint64_t count) {
    CMIRROR_INVARIANT(words.size() <= count);
    const std::size_t begin = bytes.size();
    bytes.resize(begin + count * sizeof(le32));
    for (std::size_t i = 0; i < words.size(); ++i) {
        const le32 word{words[i]};
        std::memcpy(&bytes[begin + i * sizeof word], &word, sizeof word);
    }
}

/// Takes a decimal number off the front of `text`.
template <class Number>
std::optional<Number> take_number(std::string_view& text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

}  // namespace

void wire::swap_legacy_data(std::uint32_t type, std::span<std::byte> data) {
    if (type == checkpoint_ready) {
        if (data.size() < recovering_text_size) return;
        swap_each(data.first(data.size() - recovering_text_size), sizeof(std::uint32_t));
        return;
    }
    const std::uint32_t request = type & ~response_flag;
    if (request <= std::numeric_limits<std::uint8_t>::max() && carries_integers(request))
        swap_each(data, sizeof(std::uint64_t));
}

Result<LegacyCheckpoint, ClusterFrameFault> unpack_legacy_checkpoint(std::span<const std::byte> data,
                                                                     std::uint64_t region_count) {
    const auto wrong = Failure<ClusterFrameFault>(ClusterFrameFault::wrong_data_size);
    if (data.size() < recovering_text_size) return wrong;
    // The size is divided, not the count multiplied: that could overflow.
    const std::size_t maps_size = data.size() - recovering_text_size;
    const std::size_t map_size = maps_size / 2;
    if (maps_size % (2 * sizeof(le32)) != 0 || map_size / sizeof(le32) != checkpoint_words(region_count)) return wrong;

    LegacyCheckpoint checkpoint;
    checkpoint.sync_words = unpack_words(data.first(map_size));
    checkpoint.clean_words = unpack_words(data.subspan(map_size, map_size));
    std::string_view text(reinterpret_cast<const char*>(data.data() + maps_size), recovering_text_size);
    text = text.substr(0, text.find('\0'));
    const auto region = take_number<RegionNumber>(text);
    if (!region || !text.starts_with(' ')) return wrong;
    text.remove_prefix(1);
    const auto recoverer = take_number<NodeId>(text);
    if (!recoverer || !text.empty()) return wrong;
    checkpoint.recovering_region = *region;
    checkpoint.recoverer = *recoverer;
    return checkpoint;
}

std::vector<std::byte> pack_legacy_checkpoint(const LegacyCheckpoint& checkpoint, std::uint64_t region_count) {
    const std::uint64_t words = checkpoint_words(region_count);
    const std::string text = std::to_string(checkpoint.recovering_region) + ' ' + std::to_string(checkpoint.recoverer);
    CMIRROR_INVARIANT(text.size() < recovering_text_size);
    std::vector<std::byte> data;
    data.reserve(2 * words * sizeof(le32) + recovering_text_size);
    append_words(data, checkpoint.sync_words, words);
    append_words(data, checkpoint.clean_words, words);
    const std::size_t maps_size = data.size();
    data.resize(maps_size + recovering_text_size);
    std::memcpy(&data[maps_size], text.data(), text.size());
    return data;
}

}  // namespace cmirror
