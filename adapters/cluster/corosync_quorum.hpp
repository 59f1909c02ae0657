// The connection to corosync's quorum service.
#pragma once

#include <corosync/quorum.h>

#include <memory>
#include <string>
#include <vector>

#include "messages/ports.hpp"

namespace cmirror {

class CorosyncQuorum final : public QuorumConnection {
  public:
    /// Connects and asks to be told of the present view and of every change.
    static Result<std::unique_ptr<CorosyncQuorum>, std::string> open();
    ~CorosyncQuorum() override;

    int descriptor() const override { return descriptor_; }
    std::vector<QuorumView> dispatch(ClusterCall& call) override;

  private:
    CorosyncQuorum() = default;

    static void on_change(quorum_handle_t handle, std::uint32_t quorate, std::uint64_t ring, std::uint32_t node_count,
                          std::uint32_t* nodes);

    quorum_handle_t handle_ = 0;
    bool connected_ = false;
    int descriptor_ = -1;
    std::vector<QuorumView> views_;
};

}  // namespace cmirror
