#include "actors/mirror_log/device_writer.hpp"

#include <algorithm>

#include "messages/invariant.hpp"
#include "messages/wire_disk.hpp"

namespace cmirror::mirror_log {

namespace {

/// The bytes of one block as they belong on the device, cut at the device's end.
DeviceBlock block_at(std::uint64_t index, const RegionMap& clean, std::uint64_t device_size) {
    DeviceBlock block;
    block.offset = index * device_block_size;
    CMIRROR_INVARIANT(block.offset < device_size);
    block.bytes.resize(std::min<std::uint64_t>(device_block_size, device_size - block.offset));
    std::size_t at = 0;
    if (index == 0) {
        pack_device_header({device_version, clean.size()}, block.bytes);
        at = device_header_size;
    }
    const std::uint64_t first = (block.offset + at - device_header_size) / 4;
    const std::uint64_t last =
        std::min<std::uint64_t>(device_words(clean.size()), first + (block.bytes.size() - at) / 4);
    std::vector<std::uint32_t> words;
    for (std::uint64_t word = first; word < last; ++word)
        words.push_back(clean.word32(word));
    pack_device_words(words, std::span(block.bytes).subspan(at));
    return block;
}

}  // namespace

void DeviceWriter::everything_changed(std::uint64_t region_count) {
    for (std::uint64_t block = 0; block <= device_block_of(region_count - 1); ++block)
        pending_.insert(block);
}

void DeviceWriter::forget() {
    pending_.clear();
    if (writing_) forgotten_.insert(writing_->number);
    writing_.reset();
}

WriteEffect DeviceWriter::start(const RegionMap& clean, std::uint64_t device_bytes, Progress progress) {
    CMIRROR_INVARIANT(!writing() && has_pending());
    writing_ = Writing{next_number_++, std::exchange(pending_, {}), 0, std::move(progress)};
    WriteEffect effect{writing_->number, {}};
    for (const std::uint64_t index : writing_->blocks) {
        effect.blocks.push_back(block_at(index, clean, device_bytes));
        writing_->bytes += effect.blocks.back().bytes.size();
    }
    return effect;
}

std::optional<DeviceWriter::Outcome> DeviceWriter::finished(std::uint64_t write, bool done) {
    forgotten_.erase(write);
    if (!writing_ || writing_->number != write) return std::nullopt;
    Writing written = std::move(*writing_);
    writing_.reset();
    if (!done) pending_.insert(written.blocks.begin(), written.blocks.end());
    return Outcome{done, written.bytes, std::move(written.progress)};
}

}  // namespace cmirror::mirror_log
