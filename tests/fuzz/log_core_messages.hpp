// What an input makes a kernel and the members of a log's group say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <variant>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/wire_cluster.hpp"
#include "messages/wire_kernel.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace cmirror::mirror_log {

constexpr std::uint64_t region_count = 130;
constexpr MemberId self{2, 20};
using fuzz::Input;

/// Turns bytes of the input into requests and messages. Remembers what each member would say next, so that much of it
/// is believed.
class InputMessages {
  public:
    explicit InputMessages(Input& input) : input_(input) {}

    RequestPayload payload_of(RequestType type) {
        switch (type) {
            case RequestType::is_clean:
            case RequestType::in_sync:
            case RequestType::is_remote_recovering:
                return region();
            case RequestType::mark_region:
            case RequestType::clear_region:
            case RequestType::flush: {
                RegionList list;
                for (unsigned n = input_.below(5); n > 0; --n)
                    list.push_back(region());
                return list;
            }
            case RequestType::set_region_sync: {
                const RegionNumber which = region();
                return RegionSync{which, input_.flag()};
            }
            case RequestType::ctr:
                return ConstructorText{"1040 clustered-core 8", input_.flag()};
            default:
                return std::monostate{};
        }
    }

    ClusterMessage message_of(MemberId sender, bool disk) {
        switch (input_.below(10)) {
            case 0:
                tokens_[sender] = 1 + input_.below(200);
                next_op_[sender] = 0;
                return Hello{tokens_[sender],
                             {input_.byte()},
                             0x100U + sender.node,
                             8,
                             input_.below(16) == 0 ? input_.number() : region_count,
                             disk};
            case 1:
                return Valid{some_token(sender), own_token_};
            case 2: {
                Confirm confirm;
                for (unsigned n = 1 + input_.below(2); n > 0; --n)
                    confirm.confirmations.push_back({input_.below(3) == 0 ? sender : self,
                                                     input_.flag() ? own_token_ : some_token(sender),
                                                     input_.some_number(), input_.below(4) == 0 ? -5 : 0});
                return confirm;
            }
            case 3:
                return StateBegin{input_.below(4)};
            case 4: {
                const auto bytes = input_.take(input_.below(256));
                const std::uint32_t index = input_.below(3);
                // An index behind the last never gets here: it is not taken for a message.
                return StateChunk{input_.below(4), index, index + 1 + input_.below(3), {bytes.begin(), bytes.end()}};
            }
            case 5:
                return Standing{some_token(sender), input_.flag(), input_.below(6), input_.some_number()};
            case 6:
                return StateDigest{input_.some_number(), input_.number()};
            case 7:
                return some_legacy(sender);
            case 8:
                return Anew{some_token(sender)};
            default:
                return some_ops(sender);
        }
    }

    /// The token that the log under test joined with.
    void own_token(JoinToken token) { own_token_ = token; }
    /// A member that comes again starts anew.
    void forget(MemberId member) {
        tokens_.erase(member);
        next_op_.erase(member);
    }

  private:
    RegionNumber region() { return input_.some_number(); }

    JoinToken some_token(MemberId sender) { return input_.below(8) == 0 ? input_.number() : tokens_[sender]; }

    Ops some_ops(MemberId sender) {
        std::uint64_t& next = next_op_[sender];
        Ops ops{some_token(sender), input_.below(8) == 0 ? input_.some_number() >> 1U : next, 0x100U + sender.node, {}};
        for (unsigned n = 1 + input_.below(4); n > 0; --n) {
            const auto kind = static_cast<OpKind>(1 + input_.below(19));
            const std::uint64_t most = kind == OpKind::node_gone ? 0xFFFFFFFFU : ~std::uint64_t{0} >> 1U;
            ops.ops.push_back(
                {kind, region() & most, input_.below(8) == 0 ? 1 + (input_.number() >> 2U) : 1 + input_.below(40)});
        }
        next = ops.first_seq + ops.ops.size();
        return ops;
    }

    LegacyFrame some_legacy(MemberId sender) {
        LegacyFrame frame{input_.below(4), 0, 5, 0, input_.byte(), input_.below(23), {}};
        frame.originator = input_.below(4) == 0 ? frame.originator : sender.node;
        if (input_.below(3) == 0) frame.type |= 0x1000U;
        if (input_.below(4) == 0) frame.error = -5;
        for (unsigned n = input_.below(6); n > 0; --n) {
            const std::uint64_t number = region();
            for (unsigned i = 0; i < 8; ++i)
                frame.data.push_back(static_cast<std::byte>(number >> (8 * i)));
        }
        const auto more = input_.take(input_.below(64));
        frame.data.insert(frame.data.end(), more.begin(), more.end());
        return frame;
    }

    Input& input_;
    std::map<MemberId, JoinToken> tokens_;
    std::map<MemberId, std::uint64_t> next_op_;
    JoinToken own_token_ = 0;
};

}  // namespace cmirror::mirror_log
