// A member of a group of real corosyncs, and what it has seen.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/cluster/corosync_provider.hpp"
#include "tests/cluster/corosync_cluster.hpp"

namespace cmirror::test {

inline constexpr auto deadline = std::chrono::seconds{30};

struct Recorder final : GroupEvents {
    std::vector<std::string> messages;
    std::vector<Membership> changes;

    void delivered(MemberId, std::span<const std::byte> frame) override {
        messages.emplace_back(reinterpret_cast<const char*>(frame.data()), frame.size());
    }
    void changed(Membership membership) override { changes.push_back(std::move(membership)); }
};

inline bool becomes_readable(int descriptor) {
    pollfd entry{descriptor, POLLIN, 0};
    return ::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds{deadline}.count())) > 0;
}

/// A connection and what it has dispatched.
struct Member {
    std::unique_ptr<GroupConnection> connection;
    Recorder seen;

    /// False when nothing comes for too long, or the connection is lost.
    bool reads_until(const std::function<bool(const Recorder&)>& satisfied) {
        while (!satisfied(seen)) {
            if (!becomes_readable(connection->descriptor())) return false;
            bool more = true;
            while (more)
                if (connection->dispatch(seen, 16, more) != ClusterCall::done) return false;
        }
        return true;
    }
    bool sees_members(std::size_t count) {
        return reads_until([count](const Recorder& recorder) {
            return !recorder.changes.empty() && recorder.changes.back().members.size() == count;
        });
    }
    bool sees_messages(std::size_t count) {
        return reads_until([count](const Recorder& recorder) { return recorder.messages.size() >= count; });
    }
    ClusterCall say(const std::string& text) { return connection->multicast(std::as_bytes(std::span{text})); }
};

inline Uuid uuid(const std::string& text) {
    return *Uuid::from_text(text);
}

/// Connects on `node`; flow control while a ring forms is waited out by asking again.
inline Member join(CorosyncCluster& cluster, NodeId node, const std::string& group) {
    cluster.enter(node);
    auto opened = CorosyncProvider{}.open_group();
    if (!opened) {
        ADD_FAILURE() << opened.error();
        std::abort();
    }
    Member member{std::move(*opened), {}};
    const auto end = std::chrono::steady_clock::now() + deadline;
    auto outcome = ClusterCall::try_again;
    while (outcome == ClusterCall::try_again && std::chrono::steady_clock::now() < end)
        outcome = member.connection->join(uuid(group));
    EXPECT_EQ(outcome, ClusterCall::done);
    return member;
}

}  // namespace cmirror::test
