// What corosync and a bare loop cost by themselves.
#include "tests/bench/bench_cluster.hpp"

namespace cmirror::bench {
namespace {

constexpr std::size_t message_bytes = 200;
constexpr std::byte question{1};
constexpr std::byte answer{2};

void say(GroupConnection& group, std::byte first) {
    std::array<std::byte, message_bytes> frame{};
    frame[0] = first;
    ClusterCall said = ClusterCall::try_again;
    while (said == ClusterCall::try_again)
        said = group.multicast(frame);
    if (said != ClusterCall::done) give_up("corosync takes no message");
}

struct Heard final : GroupEvents {
    std::uint64_t questions = 0, answers = 0;
    std::size_t members = 0;

    void delivered(MemberId, std::span<const std::byte> frame) override {
        ++(frame[0] == question ? questions : answers);
    }
    void changed(Membership membership) override { members = membership.members.size(); }
};

void hear(GroupConnection& group, Heard& heard) {
    pollfd entry{group.descriptor(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) < 1)
        give_up("corosync delivers nothing");
    bool more = true;
    while (more)
        if (group.dispatch(heard, 64, more) != ClusterCall::done) give_up("corosync is gone");
}

[[noreturn]] void answer_all(GroupConnection& group) {
    Heard heard;
    for (std::uint64_t answered = 0;; hear(group, heard))
        for (; answered < heard.questions; ++answered)
            say(group, answer);
}

}  // namespace

std::unique_ptr<GroupConnection> BenchCluster::join_group(NodeId id, const std::string& name) {
    corosync_.enter(id);
    auto opened = CorosyncProvider{}.open_group();
    if (!opened) give_up(opened.error());
    ClusterCall joined = ClusterCall::try_again;
    const auto end = Clock::now() + patience;
    while (joined == ClusterCall::try_again && Clock::now() < end)
        joined = (*opened)->join(*Uuid::from_text(name));
    if (joined != ClusterCall::done) give_up("cannot join a group of corosync");
    return std::move(*opened);
}

void BenchCluster::await_groups() {
    for (auto& [id, node] : nodes_) {
        Heard heard;
        while (heard.members < node_count)
            hear(*node.group, heard);
    }
}

void BenchCluster::rounds(NodeId id, int count, Times& times) {
    drain_output();
    GroupConnection& group = *nodes_.at(id).group;
    for (int i = 0; i < count; ++i) {
        Heard heard;
        const auto begin = Clock::now();
        say(group, question);
        while (heard.questions == 0)
            hear(group, heard);
        times.add(Clock::now() - begin);
    }
    // Everyone else's copies.
    for (auto& [other, node] : nodes_) {
        if (other == id) continue;
        Heard heard;
        while (heard.questions < static_cast<std::uint64_t>(count))
            hear(*node.group, heard);
    }
}

void BenchCluster::echoes(NodeId id, NodeId other, int count, Times& times) {
    const auto group = join_group(id, "bare-echoes");
    const pid_t process = ::fork();
    if (process == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        answer_all(*join_group(other, "bare-echoes"));
    }
    Heard heard;
    while (heard.members < 2)
        hear(*group, heard);
    for (int i = 0; i < count; ++i) {
        const std::uint64_t before = heard.answers;
        const auto begin = Clock::now();
        say(*group, question);
        while (heard.answers == before)
            hear(*group, heard);
        times.add(Clock::now() - begin);
    }
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
}

void BenchCluster::bare(int count, Times& times) {
    const Log log{bare_loop, *Uuid::from_text("bare-loop"), 1};
    for (int i = 0; i < count; ++i) {
        const auto begin = Clock::now();
        call(log, RequestType::in_sync, RegionNumber{5});
        times.add(Clock::now() - begin);
    }
}

}  // namespace cmirror::bench
