#include "actors/mirror_log/state_transfer.hpp"

#include <zstd.h>

#include <algorithm>

#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

namespace {

constexpr int compression_level = 1;

}  // namespace

StateSender::StateSender(std::uint64_t transfer, std::vector<std::byte> state)
    : transfer_(transfer), state_(std::move(state)) {
    CMIRROR_INVARIANT(!state_.empty());
    count_ = static_cast<std::uint32_t>((state_.size() + piece_size - 1) / piece_size);
}

void StateSender::start(Effects& effects) {
    while (sent_ < count_ && sent_ < chunks_ahead)
        send_next(effects);
}

void StateSender::delivered(const StateChunk& chunk, Effects& effects) {
    if (chunk.transfer != transfer_ || chunk.index < delivered_) return;
    if (chunk.index > delivered_) return send_again(effects);
    ++delivered_;
    if (sent_ < count_) send_next(effects);
}

void StateSender::send_again(Effects& effects) {
    const std::uint32_t end = sent_;
    sent_ = delivered_;
    while (sent_ < end)
        send_next(effects);
}

void StateSender::send_next(Effects& effects) {
    const std::size_t begin = std::size_t{sent_} * piece_size;
    const std::size_t size = std::min(piece_size, state_.size() - begin);
    StateChunk chunk{transfer_, sent_, count_, {}};
    chunk.compressed.resize(ZSTD_compressBound(size));
    const std::size_t compressed =
        ZSTD_compress(chunk.compressed.data(), chunk.compressed.size(), &state_[begin], size, compression_level);
    CMIRROR_INVARIANT(ZSTD_isError(compressed) == 0);
    chunk.compressed.resize(compressed);
    ++sent_;
    effects.emplace_back(SendEffect{std::move(chunk)});
}

StateReceiver::Taken StateReceiver::take(const StateChunk& chunk) {
    if (chunk.count == 0 || chunk.index >= chunk.count) return Taken::broken;
    if (chunk.index != next_) return Taken::more;
    if (state_.size() + StateSender::piece_size > size_max_ + StateSender::piece_size) return Taken::broken;
    const std::size_t begin = state_.size();
    state_.resize(begin + StateSender::piece_size);
    const std::size_t size =
        ZSTD_decompress(&state_[begin], StateSender::piece_size, chunk.compressed.data(), chunk.compressed.size());
    if (ZSTD_isError(size) != 0) return Taken::broken;
    state_.resize(begin + size);
    ++next_;
    return next_ == chunk.count ? Taken::complete : Taken::more;
}

}  // namespace cmirror::mirror_log
