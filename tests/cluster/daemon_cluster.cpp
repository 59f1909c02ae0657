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
/// The kernel asks 4 times a second.
constexpr auto ask_again = std::chrono::milliseconds{250};
constexpr auto resend_after = std::chrono::seconds{15};

Uuid uuid() {
    return *Uuid::from_text("LVM-three-daemons");
}

RegionList list(RegionNumber region) {
    RegionList regions;
    regions.push_back(region);
    return regions;
}

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

void Rules::copy_begins(NodeId node, RegionNumber region) {
    const auto what = "node " + std::to_string(node) + " was given region " + std::to_string(region);
    const auto other = copied.find(region);
    if (other != copied.end() && other->second != node)
        says(what + " while node " + std::to_string(other->second) + " copies it");
    for (const auto& [writer, regions] : written)
        if (writer != node && regions.contains(region))
            says(what + " while node " + std::to_string(writer) + " writes it");
    copied[region] = node;
}

void Rules::copy_ends(NodeId node, RegionNumber region) {
    const auto found = copied.find(region);
    if (found != copied.end() && found->second == node) copied.erase(found);
}

void Rules::write_begins(NodeId node, RegionNumber region) {
    const auto copier = copied.find(region);
    if (copier != copied.end() && copier->second != node)
        says("node " + std::to_string(node) + " may write region " + std::to_string(region) + " while node " +
             std::to_string(copier->second) + " copies it");
    written[node].insert(region);
}

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

void DaemonCluster::poll_once() {
    std::vector<pollfd> entries;
    for (auto& [id, node] : nodes_) {
        entries.push_back({node->kernel->descriptor(), POLLIN, 0});
        entries.push_back({node->output.get(), POLLIN, 0});
    }
    ::poll(entries.data(), entries.size(), 20);
    std::array<char, 8192> text;
    for (auto& [id, node] : nodes_) {
        for (;;) {
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

void DaemonCluster::later(std::function<void()> then) {
    timers_.emplace(Clock::now() + ask_again, std::move(then));
}

void DaemonCluster::go_on(Node& node, std::function<void()> then) {
    if (!node.suspended) return then();
    --node.tasks;
    node.paused.push_back(std::move(then));
}

void DaemonCluster::expect_ok(Node& node, RequestType type, const KernelAnswer& answer) {
    if (answer.error != 0)
        rules.says("node " + std::to_string(node.id) + ": " + std::string(name_of(type)) + " failed with " +
                   std::to_string(answer.error));
}

// -- one mirror ----------------------------------------------------------------------------------------

void DaemonCluster::create(NodeId id) {
    Node& node = *nodes_.at(id);
    node.kernel->use(uuid(), node.luid, table_);
    const auto created = ask(id, RequestType::ctr, ConstructorText{table_, false});
    const auto resumed = ask(id, RequestType::resume);
    if (!created || created->error != 0 || !resumed || resumed->error != 0)
        rules.says("node " + std::to_string(id) + " could not create its log");
}

void DaemonCluster::create_all() {
    for (const auto& [id, node] : nodes_)
        create(id);
}

std::optional<KernelAnswer> DaemonCluster::ask(NodeId id, RequestType type, RequestPayload payload) {
    auto answer = std::make_shared<std::optional<KernelAnswer>>();
    nodes_.at(id)->kernel->ask(type, std::move(payload), [answer](const KernelAnswer& given) { *answer = given; });
    until([answer] { return answer->has_value(); });
    return *answer;
}

void DaemonCluster::recover(NodeId id) {
    Node& node = *nodes_.at(id);
    ++node.tasks;
    recover_next(node);
}

void DaemonCluster::recover_next(Node& node) {
    node.kernel->ask(RequestType::get_resync_work, {}, [this, &node](const KernelAnswer& work) {
        expect_ok(node, RequestType::get_resync_work, work);
        if (work.error == 0 && work.numbers.at(0) == 1) {
            const RegionNumber region = work.numbers.at(1);
            rules.copy_begins(node.id, region);
            rules.copy_ends(node.id, region);
            const auto next = [this, &node](const KernelAnswer&) {
                go_on(node, [this, &node] { recover_next(node); });
            };
            node.kernel->ask(RequestType::set_region_sync, RegionSync{region, true}, [](const KernelAnswer&) {});
            node.kernel->ask(RequestType::clear_region, list(region), [](const KernelAnswer&) {});
            node.kernel->ask(RequestType::flush, RegionList{}, next);
            return;
        }
        node.kernel->ask(RequestType::get_sync_count, {}, [this, &node](const KernelAnswer& count) {
            if (count.error == 0 && count.numbers.at(0) == region_count) {
                --node.tasks;
                return;
            }
            later([this, &node] { go_on(node, [this, &node] { recover_next(node); }); });
        });
    });
}

void DaemonCluster::write(NodeId id, RegionNumber first) {
    Node& node = *nodes_.at(id);
    ++node.tasks;
    write_next(node, first, first);
}

void DaemonCluster::write_next(Node& node, RegionNumber region, RegionNumber first) {
    if (stopping_) {
        --node.tasks;
        return;
    }
    node.kernel->ask(RequestType::is_remote_recovering, region, [=, this, &node](const KernelAnswer& answer) {
        expect_ok(node, RequestType::is_remote_recovering, answer);
        if (answer.error != 0 || answer.numbers.at(0) == 1) {
            later([=, this, &node] { go_on(node, [=, this, &node] { write_next(node, region, first); }); });
            return;
        }
        node.kernel->ask(RequestType::in_sync, region, [=, this, &node](const KernelAnswer& in_sync) {
            expect_ok(node, RequestType::in_sync, in_sync);
            if (in_sync.error == 0 && in_sync.numbers.at(0) == 1) return mark(node, region, first);
            // Such a write goes to the primary leg alone, unmarked.
            later([=, this, &node] { go_on(node, [=, this, &node] { write_next(node, region, first); }); });
        });
    });
}

void DaemonCluster::mark(Node& node, RegionNumber region, RegionNumber first) {
    node.kernel->ask(RequestType::mark_region, list(region), [=, this, &node](const KernelAnswer& marked) {
        expect_ok(node, RequestType::mark_region, marked);
        node.kernel->ask(RequestType::flush, RegionList{}, [=, this, &node](const KernelAnswer& flushed) {
            expect_ok(node, RequestType::flush, flushed);
            rules.write_begins(node.id, region);
            ++node.writes;
            note_write(node);
            rules.write_ends(node.id, region);
            node.kernel->ask(RequestType::clear_region, list(region), [](const KernelAnswer&) {});
            const RegionNumber next = region + node_count < region_count ? region + node_count : first;
            node.kernel->ask(RequestType::flush, RegionList{}, [=, this, &node](const KernelAnswer&) {
                go_on(node, [=, this, &node] { write_next(node, next, first); });
            });
        });
    });
}

void DaemonCluster::note_write(Node& node) {
    const auto now = Clock::now();
    if (node.last_write != Clock::time_point{})
        node.longest_pause = std::max(node.longest_pause, now - node.last_write);
    node.last_write = now;
}

Clock::duration DaemonCluster::longest_pause(NodeId id) {
    Node& node = *nodes_.at(id);
    const auto now = Clock::now();
    const auto going_on = node.last_write == Clock::time_point{} ? Clock::duration{0} : now - node.last_write;
    node.last_write = now;
    return std::max(std::exchange(node.longest_pause, Clock::duration{0}), going_on);
}

std::vector<std::string> DaemonCluster::lines_since(NodeId id, std::size_t said) const {
    std::istringstream text{nodes_.at(id)->log.substr(said)};
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);)
        lines.push_back(line);
    return lines;
}

void DaemonCluster::suspend_and_resume(NodeId id, unsigned times) {
    Node& node = *nodes_.at(id);
    node.suspends_left = times;
    suspend_next(node);
}

void DaemonCluster::suspend_next(Node& node) {
    node.suspended = true;
    if (node.tasks > 0) return later([this, &node] { suspend_next(node); });
    node.kernel->ask(RequestType::presuspend, {}, [=, this, &node](const KernelAnswer& first) {
        expect_ok(node, RequestType::presuspend, first);
        node.kernel->ask(RequestType::postsuspend, {}, [=, this, &node](const KernelAnswer& second) {
            expect_ok(node, RequestType::postsuspend, second);
            node.kernel->ask(RequestType::resume, {}, [=, this, &node](const KernelAnswer& third) {
                expect_ok(node, RequestType::resume, third);
                node.suspended = false;
                for (auto& then : std::exchange(node.paused, {})) {
                    ++node.tasks;
                    then();
                }
                if (--node.suspends_left > 0) later([this, &node] { suspend_next(node); });
            });
        });
    });
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
