#include "actors/mirror_log/state_transfer.hpp"

#include <zstd.h>

#include <algorithm>

#include "messages/invariant.hpp"
#include "messages/wire_cluster.hpp"

namespace cmirror::mirror_log {

namespace {

constexpr int compression_level = 1;
/// Several pieces that take no more than this leave room for twice as many.
constexpr std::size_t small_chunk = state_chunk_size_max / 4;

/// Bytes that a chunk has uncompressed, as it says; 0 if it makes no sense.
std::size_t size_of(const StateChunk& chunk) {
    const auto size = ZSTD_getFrameContentSize(chunk.compressed.data(), chunk.compressed.size());
    return size > state_pieces_max * state_piece_size ? 0 : static_cast<std::size_t>(size);
}

std::uint32_t pieces_of(std::uint64_t bytes) {
    return static_cast<std::uint32_t>((bytes + state_piece_size - 1) / state_piece_size);
}

}  // namespace

void StateSender::start(const LogState& state, Effects& effects) {
    count_ = pieces_of(state.frozen_size());
    CMIRROR_INVARIANT(count_ > 0);
    fill_window(state, effects);
}

void StateSender::delivered(const StateChunk& chunk, const LogState& state, Effects& effects) {
    if (!started() || chunk.transfer != transfer_) return;
    if (chunk.index > delivered_) return send_again(state, effects);
    if (in_flight_ > 0) --in_flight_;
    bytes_in_flight_ -= std::min(bytes_in_flight_, chunk.compressed.size());
    // What was sent again may come twice.
    if (chunk.index == delivered_) delivered_ += pieces_of(size_of(chunk));
    sent_ = std::max(sent_, delivered_);
    fill_window(state, effects);
}

void StateSender::send_again(const LogState& state, Effects& effects) {
    sent_ = delivered_;
    in_flight_ = 0;
    bytes_in_flight_ = 0;
    fill_window(state, effects);
}

void StateSender::fill_window(const LogState& state, Effects& effects) {
    while (sent_ < count_ && in_flight_ < chunks_ahead && bytes_in_flight_ < bytes_ahead)
        send_next(state, effects);
}

void StateSender::send_next(const LogState& state, Effects& effects) {
    const std::uint64_t begin = std::uint64_t{sent_} * state_piece_size;
    StateChunk chunk{transfer_, sent_, count_, {}};
    for (;;) {
        bytes_.resize(std::min<std::uint64_t>(pieces_ * state_piece_size, state.frozen_size() - begin));
        state.read_frozen(begin, bytes_);
        chunk.compressed.resize(ZSTD_compressBound(bytes_.size()));
        const std::size_t size = ZSTD_compress(chunk.compressed.data(), chunk.compressed.size(), bytes_.data(),
                                               bytes_.size(), compression_level);
        CMIRROR_INVARIANT(ZSTD_isError(size) == 0);
        chunk.compressed.resize(size);
        if (size <= state_chunk_size_max) break;
        CMIRROR_INVARIANT(pieces_ > 1);
        pieces_ = 1;
    }
    if (chunk.compressed.size() <= small_chunk) pieces_ = std::min(pieces_ * 2, state_pieces_max);
    sent_ += pieces_of(bytes_.size());
    ++in_flight_;
    bytes_in_flight_ += chunk.compressed.size();
    effects.emplace_back(SendEffect{std::move(chunk)});
}

StateReceiver::Taken StateReceiver::take(const StateChunk& chunk) {
    if (chunk.count == 0 || chunk.index >= chunk.count) return Taken::broken;
    if (chunk.index != next_) return Taken::more;
    const std::size_t size = size_of(chunk);
    if (size == 0 || state_.size() + size > size_max_) return Taken::broken;
    const std::size_t begin = state_.size();
    if (begin == 0) state_.reserve(std::min<std::uint64_t>(size_max_, std::uint64_t{chunk.count} * state_piece_size));
    state_.resize(begin + size);
    const std::size_t taken = ZSTD_decompress(&state_[begin], size, chunk.compressed.data(), chunk.compressed.size());
    if (ZSTD_isError(taken) != 0 || taken != size) return Taken::broken;
    next_ += pieces_of(size);
    if (next_ > chunk.count || (next_ < chunk.count && size % state_piece_size != 0)) return Taken::broken;
    return next_ == chunk.count ? Taken::complete : Taken::more;
}

}  // namespace cmirror::mirror_log
