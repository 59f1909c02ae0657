// The state on its way to joiners, in compressed chunks (design.md, rule 7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "actors/mirror_log/effects.hpp"
#include "actors/mirror_log/log_state.hpp"
#include "messages/cluster_message.hpp"

namespace cmirror::mirror_log {

/// Bytes of a state are counted in pieces; what does not compress still fits a frame. A chunk carries several pieces
/// that compress well; as many as its bytes tell.
inline constexpr std::size_t state_piece_size = std::size_t{32} * 1024;
inline constexpr std::size_t state_pieces_max = 8;

/// Sends one frozen state; the next chunks go out when the last ones were delivered back, so that other traffic of the
/// ring passes in between: several that are small, or one that is not.
class StateSender {
  public:
    static constexpr std::size_t chunks_ahead = 4;
    /// Compressed: with so many under way no other chunk is sent.
    static constexpr std::size_t bytes_ahead = std::size_t{16} * 1024;

    explicit StateSender(std::uint64_t transfer) : transfer_(transfer) {}

    /// Sends the first chunks. Here and below `state` is the one that was frozen for this transfer.
    void start(const LogState& state, Effects& effects);
    /// One of the chunks came back. One that overtook another tells that the other is lost.
    void delivered(const StateChunk& chunk, const LogState& state, Effects& effects);
    /// Without news: what was not delivered back is sent again.
    void send_again(const LogState& state, Effects& effects);
    bool started() const { return count_ > 0; }
    bool done() const { return started() && delivered_ == count_; }
    std::uint64_t transfer() const { return transfer_; }

  private:
    void fill_window(const LogState& state, Effects& effects);
    void send_next(const LogState& state, Effects& effects);

    std::uint64_t transfer_;
    /// In pieces: of the whole state, sent, delivered.
    std::uint32_t count_ = 0, sent_ = 0, delivered_ = 0;
    /// Chunks that were sent and not delivered yet, and their compressed bytes.
    std::size_t in_flight_ = 0, bytes_in_flight_ = 0;
    /// Pieces of the next chunk.
    std::size_t pieces_ = 1;
    std::vector<std::byte> bytes_;
};

/// Puts a state together again.
class StateReceiver {
  public:
    StateReceiver(MemberId sender, std::uint64_t transfer, std::uint64_t size_max)
        : sender_(sender), transfer_(transfer), size_max_(size_max) {}

    MemberId sender() const { return sender_; }
    std::uint64_t transfer() const { return transfer_; }

    enum class Taken : std::uint8_t { more, complete, broken };
    /// Chunks come in order; one that does not follow is left out, as it comes again. One that does not decompress
    /// breaks the transfer.
    Taken take(const StateChunk& chunk);
    const std::vector<std::byte>& state() const { return state_; }

  private:
    MemberId sender_;
    std::uint64_t transfer_;
    std::uint64_t size_max_;
    std::uint32_t next_ = 0;
    std::vector<std::byte> state_;
};

}  // namespace cmirror::mirror_log
