#include "tests/cluster/daemon_cluster.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>
#include <utility>

#include "messages/invariant.hpp"

namespace cmirror::test {
namespace {

using Clock = KernelStandIn::Clock;

constexpr auto patience = std::chrono::seconds{60};
constexpr auto resend_after = std::chrono::seconds{15};

std::string tail_of(const std::string& text, std::size_t size) {
    return text.size() <= size ? text : "..." + text.substr(text.size() - size);
}

std::string field(const std::string& text, const std::string& name) {
    const std::regex pattern("  " + name + " +: (.*)");
    std::smatch match;
    return std::regex_search(text, match, pattern) ? match[1].str() : "";
}

std::size_t count_of(const std::string& text, const std::string& what) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++count;
    return count;
}

}  // namespace

DaemonCluster::DaemonCluster(const std::string& log, NodeId nodes)
    : corosync_(nodes), table_("65536 " + log + " 1024") {
    std::string pattern = "/tmp/cmirror-daemons-XXXXXX";
    CMIRROR_INVARIANT(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    corosync_.start_all();
    for (NodeId id = 1; id <= nodes; ++id) {
        auto node = std::make_unique<Node>();
        node->id = id;
        node->luid = 0xffff888000000000U + id * 0x1000U;
        const auto path = folder_ + "/kernel" + std::to_string(id);
        node->kernel = std::make_unique<KernelStandIn>(path, path + ".stand-in", resend_after);
        nodes_.emplace(id, std::move(node));
        start_daemon(id);
    }
}

DaemonCluster::~DaemonCluster() {
    for (auto& [id, node] : nodes_)
        if (node->daemon != 0) kill_daemon(id);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void DaemonCluster::start_daemon(NodeId id) {
    Node& node = *nodes_.at(id);
    std::array<int, 2> ends{};
    CMIRROR_INVARIANT(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const UniqueFd writing{ends[1]};
    node.output = UniqueFd{ends[0]};
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const auto kernel = "unix:" + folder_ + "/kernel" + std::to_string(id);
    node.daemon = corosync_.spawn(id, {CMIRRORD_PATH, "-f", "--kernel", kernel}, writing.get());
}

void DaemonCluster::kill_daemon(NodeId id) {
    Node& node = *nodes_.at(id);
    ::kill(node.daemon, SIGKILL);
    ::waitpid(node.daemon, nullptr, 0);
    node.daemon = 0;
    node.log += "--- killed\n";
}

void DaemonCluster::ignore_output(NodeId id, bool ignored) {
    // The least that a pipe can hold: it is full soon.
    constexpr int pipe_size = 4096;
    Node& node = *nodes_.at(id);
    node.output_ignored = ignored;
    if (ignored) CMIRROR_INVARIANT(::fcntl(node.output.get(), F_SETPIPE_SZ, pipe_size) >= 0);
}

void DaemonCluster::poll_once() {
    std::vector<pollfd> entries;
    for (auto& [id, node] : nodes_) {
        entries.push_back({node->kernel->descriptor(), POLLIN, 0});
        if (!node->output_ignored) entries.push_back({node->output.get(), POLLIN, 0});
    }
    ::poll(entries.data(), entries.size(), 20);
    std::array<char, 8192> text;
    for (auto& [id, node] : nodes_) {
        while (!node->output_ignored) {
            const auto size = ::read(node->output.get(), text.data(), text.size());
            if (size <= 0) break;
            node->log.append(text.data(), static_cast<std::size_t>(size));
        }
        node->kernel->receive();
        node->kernel->tick();
    }
    while (!timers_.empty() && timers_.begin()->first <= Clock::now()) {
        const auto then = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        then();
    }
}

std::vector<std::string> DaemonCluster::lines_since(NodeId id, std::size_t said) const {
    std::istringstream text{nodes_.at(id)->log.substr(said)};
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);)
        lines.push_back(line);
    return lines;
}

// -- waiting ---------------------------------------------------------------------------------------------

bool DaemonCluster::until(const std::function<bool()>& so) {
    const auto end = Clock::now() + patience;
    while (!so()) {
        if (Clock::now() > end) return false;
        poll_once();
    }
    return true;
}

bool DaemonCluster::until_more_writes(std::uint64_t count, const std::vector<NodeId>& ids) {
    std::map<NodeId, std::uint64_t> goal;
    for (const NodeId id : ids)
        goal[id] = writes(id) + count;
    return until([&] { return std::ranges::all_of(goal, [&](const auto& g) { return writes(g.first) >= g.second; }); });
}

bool DaemonCluster::until_idle() {
    return until([this] {
        return std::ranges::all_of(nodes_,
                                   [](const auto& n) { return n.second->tasks == 0 && n.second->kernel->idle(); });
    });
}

bool DaemonCluster::until_in_sync() {
    for (const auto& [id, node] : nodes_) {
        const bool done = until([&, node = id] {
            const auto count = ask(node, RequestType::get_sync_count);
            return count && count->error == 0 && count->numbers.at(0) == region_count;
        });
        if (!done) return false;
    }
    return true;
}

std::optional<LogSnapshot> DaemonCluster::snapshot(NodeId id) {
    Node& node = *nodes_.at(id);
    const auto from = node.log.size();
    ::kill(node.daemon, SIGUSR1);
    std::string text;
    const bool told = until([&] {
        text = node.log.substr(from);
        const auto at = text.find("  events ");
        return at != std::string::npos && text.find('\n', at) != std::string::npos;
    });
    if (!told) return std::nullopt;
    return LogSnapshot{field(text, "events"), field(text, "sync_count"), field(text, "state"),
                       field(text, "quorum"), field(text, "marks"),      count_of(text, ": valid")};
}

bool DaemonCluster::until_equal() {
    return until([this] {
        const auto first = snapshot(1);
        return first && first->state == "active" && first->quorum == "YES" &&
               std::ranges::all_of(nodes_, [&](const auto& n) { return snapshot(n.first) == first; });
    });
}

std::string DaemonCluster::report() {
    std::string text;
    for (const auto& what : rules.broken)
        text += "rule broken: " + what + "\n";
    for (auto& [id, node] : nodes_) {
        const auto& counters = node->kernel->counters();
        text += "node " + std::to_string(id) + ": kernel " + node->kernel->describe() + ", " +
                std::to_string(node->tasks) + " tasks, " + std::to_string(node->writes) + " writes, " +
                std::to_string(counters.resent) + " resent, " + std::to_string(counters.reconnects) +
                " reconnects\n--- its daemon:\n" + tail_of(node->log, 6000) + "\n";
    }
    return text;
}

}  // namespace cmirror::test
