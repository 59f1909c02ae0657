// The state on its way to joiners, in compressed chunks (design.md, rule 7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "actors/mirror_log/effects.hpp"
#include "messages/cluster_message.hpp"

namespace cmirror::mirror_log {

/// Sends one saved state; the next chunks go out when the last ones were delivered back, so that other traffic of the
/// group passes in between.
class StateSender {
  public:
    /// Uncompressed bytes of a chunk: what does not compress still fits a frame.
    static constexpr std::size_t piece_size = 32 * 1024;
    static constexpr std::size_t chunks_ahead = 4;

    StateSender(std::uint64_t transfer, std::vector<std::byte> state);

    /// Sends the first chunks.
    void start(Effects& effects);
    /// One of the chunks came back. One that overtook another tells that the other is lost.
    void delivered(const StateChunk& chunk, Effects& effects);
    /// Without news: what was not delivered back is sent again.
    void send_again(Effects& effects);
    bool started() const { return sent_ > 0; }
    bool done() const { return delivered_ == count_; }
    std::uint64_t transfer() const { return transfer_; }

  private:
    void send_next(Effects& effects);

    std::uint64_t transfer_;
    std::vector<std::byte> state_;
    std::uint32_t count_;
    std::uint32_t sent_ = 0;
    std::uint32_t delivered_ = 0;
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
