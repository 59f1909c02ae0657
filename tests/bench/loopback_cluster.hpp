// A cluster of one node in the process: what is multicast is delivered back, at once and in order.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <variant>
#include <vector>

#include "adapters/unique_fd.hpp"
#include "messages/ports.hpp"

namespace cmirror {

/// A descriptor that is readable while something waits behind it.
class Bell {
  public:
    int descriptor() const { return fd_.get(); }
    void ring() const { (void)::eventfd_write(fd_.get(), 1); }
    void hush() const {
        eventfd_t value = 0;
        (void)::eventfd_read(fd_.get(), &value);
    }

  private:
    UniqueFd fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

class LoopbackGroup final : public GroupConnection {
  public:
    int descriptor() const override { return bell_.descriptor(); }
    ClusterCall join(const Uuid&) override { return push(Membership{self, {self}, {}, {{self, ChangeReason::join}}}); }
    ClusterCall leave() override { return push(Membership{self, {}, {{self, ChangeReason::leave}}, {}}); }
    ClusterCall multicast(std::span<const std::byte> frame) override {
        return push(std::vector<std::byte>(frame.begin(), frame.end()));
    }
    ClusterCall dispatch(GroupEvents& events, std::size_t events_max, bool& more) override {
        bell_.hush();
        for (; events_max > 0 && !events_.empty(); --events_max) {
            auto event = std::move(events_.front());
            events_.pop_front();
            if (auto* membership = std::get_if<Membership>(&event))
                events.changed(std::move(*membership));
            else
                events.delivered(self, std::get<1>(event));
        }
        more = !events_.empty();
        if (more) bell_.ring();
        return ClusterCall::done;
    }

  private:
    static constexpr MemberId self{1, 1};

    ClusterCall push(std::variant<Membership, std::vector<std::byte>> event) {
        events_.push_back(std::move(event));
        bell_.ring();
        return ClusterCall::done;
    }

    Bell bell_;
    std::deque<std::variant<Membership, std::vector<std::byte>>> events_;
};

class LoopbackQuorum final : public QuorumConnection {
  public:
    LoopbackQuorum() { bell_.ring(); }
    int descriptor() const override { return bell_.descriptor(); }
    std::vector<QuorumView> dispatch(ClusterCall& call) override {
        call = ClusterCall::done;
        bell_.hush();
        if (std::exchange(told_, true)) return {};
        return {QuorumView{true, 1, {1}}};
    }

  private:
    Bell bell_;
    bool told_ = false;
};

class LoopbackCluster final : public ClusterProvider {
  public:
    Result<std::unique_ptr<GroupConnection>, std::string> open_group() override {
        return std::make_unique<LoopbackGroup>();
    }
    Result<std::unique_ptr<QuorumConnection>, std::string> open_quorum() override {
        return std::make_unique<LoopbackQuorum>();
    }
    Result<NodeId, std::string> local_node() override { return NodeId{1}; }
};

}  // namespace cmirror
