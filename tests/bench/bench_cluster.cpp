#include "tests/bench/bench_cluster.hpp"

#include <fcntl.h>
#include <sched.h>

#include <cstring>
#include <filesystem>

#include "messages/invariant.hpp"
#include "tests/support/unix_address.hpp"

namespace cmirror::bench {
namespace {

constexpr int node_core = 0;
constexpr int network_core = 1;

template <typename Do>
void for_threads(pid_t process, const Do& act) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/" + std::to_string(process) + "/task", ignored})
        act(std::stoi(entry.path().filename().string()));
}

/// What the process starts later is pinned as well.
void pin_threads(pid_t process, int core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    for_threads(process, [&](pid_t thread) { (void)::sched_setaffinity(thread, sizeof cores, &cores); });
}

}  // namespace

BenchCluster::BenchCluster() : corosync_(node_count) {
    std::string pattern = "/tmp/cmirror-bench-XXXXXX";
    CMIRROR_INVARIANT(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    corosync_.start_all();
    start_bare();
    place();
    for (NodeId id = 1; id <= node_count; ++id)
        start(id);
    await_groups();
}

BenchCluster::~BenchCluster() {
    for (Node* node : {&nodes_.at(1), &nodes_.at(2), &nodes_.at(3), &bare_}) {
        ::kill(node->daemon, SIGKILL);
        ::waitpid(node->daemon, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void BenchCluster::run_in_leftover_time(NodeId node, bool leftover) const {
    const sched_param none{};
    for_threads(daemon(node), [&](pid_t thread) {
        if (::sched_setscheduler(thread, leftover ? SCHED_IDLE : SCHED_OTHER, &none) != 0)
            give_up("sched_setscheduler");
    });
}

UniqueFd BenchCluster::socket_at(const std::string& path) {
    UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const sockaddr_un own = test::unix_address(path);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) give_up("bind");
    return socket;
}

void BenchCluster::open_socket(Node& node, NodeId id) const {
    node.address = folder_ + "/kernel" + std::to_string(id);
    node.socket = socket_at(node.address + ".stand-in");
}

void BenchCluster::start_bare() {
    open_socket(bare_, bare_loop);
    const UniqueFd theirs = socket_at(bare_.address);
    bare_.daemon = ::fork();
    if (bare_.daemon > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve_echo(theirs.get());
}

void BenchCluster::start(NodeId id) {
    Node& node = nodes_[id];
    open_socket(node, id);
    std::array<int, 2> ends{};
    CMIRROR_INVARIANT(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    const UniqueFd writing{ends[1]};
    node.output = UniqueFd{ends[0]};
    node.daemon = corosync_.spawn(id, {CMIRRORD_PATH, "-f", "--kernel", "unix:" + node.address}, writing.get());
    std::string said;
    const auto end = Clock::now() + patience;
    while (said.find("ready:") == std::string::npos) {
        std::array<char, 4096> text;
        pollfd entry{node.output.get(), POLLIN, 0};
        ::poll(&entry, 1, 100);
        const auto size = ::read(node.output.get(), text.data(), text.size());
        if (size > 0) said.append(text.data(), static_cast<std::size_t>(size));
        if (Clock::now() > end) give_up("a daemon does not start: " + said);
    }
    node.group = join_group(id, "bare-rounds");
}

Log BenchCluster::start_create(NodeId node, const std::string& name, std::uint64_t regions, const std::string& log,
                               std::function<void()> done) {
    const Log created{node, *Uuid::from_text("LVM-" + name), next_luid_};
    next_luid_ += 0x1000;
    const std::string text = std::to_string(regions * 1024) + " " + log;
    ask(created, RequestType::ctr, ConstructorText{text, false}, [this, created, done](const Answer&) {
        ask(created, RequestType::resume, {}, [done](const Answer&) { done(); });
    });
    return created;
}

Log BenchCluster::create(NodeId node, const std::string& name, std::uint64_t regions, const std::string& log) {
    bool resumed = false;
    const Log created = start_create(node, name, regions, log, [&resumed] { resumed = true; });
    until([&resumed] { return resumed; });
    return created;
}

std::array<Log, BenchCluster::node_count> BenchCluster::create_everywhere(const std::string& name,
                                                                          std::uint64_t regions,
                                                                          const std::string& log) {
    return {create(1, name, regions, log), create(2, name, regions, log), create(3, name, regions, log)};
}

void BenchCluster::destroy(const Log& log) {
    for (const RequestType type : {RequestType::presuspend, RequestType::postsuspend, RequestType::dtr})
        call(log, type);
}

void BenchCluster::ask(const Log& log, RequestType type, RequestPayload payload, Done done) {
    const Node& node = node_of(log.node);
    const std::uint32_t seq = next_seq_++;
    std::array<std::byte, kernel_frame_size_max> frame;
    const auto size = pack_kernel_request({seq, type, 2, log.luid, log.uuid, std::move(payload)}, frame);
    const sockaddr_un address = test::unix_address(node.address);
    waiting_.emplace(seq, Waiting{log, type, std::move(done)});
    if (::sendto(node.socket.get(), frame.data(), size, 0, reinterpret_cast<const sockaddr*>(&address),
                 sizeof address) < 0)
        give_up("a daemon takes no request");
}

void BenchCluster::receive(const Node& node) {
    std::array<std::byte, 8192> frame;
    const auto size = ::recv(node.socket.get(), frame.data(), frame.size(), MSG_DONTWAIT);
    if (size < 0) return;
    const auto reply = unpack_kernel_reply(std::span(frame).first(static_cast<std::size_t>(size)));
    const auto found = reply ? waiting_.find(reply->seq) : waiting_.end();
    if (found == waiting_.end()) give_up("a reply to nothing that was asked");
    const Waiting waiting = std::move(found->second);
    waiting_.erase(found);
    Answer answer{reply->error, {}};
    answer.numbers.resize(reply->data.size() / sizeof(std::uint64_t));
    std::memcpy(answer.numbers.data(), reply->data.data(), answer.numbers.size() * sizeof(std::uint64_t));
    if (answer.error != 0)
        give_up(std::string(name_of(waiting.type)) + " was answered with " + std::to_string(answer.error));
    waiting.done(answer);
}

void BenchCluster::drain_output() {
    std::array<char, 4096> text;
    for (auto& [id, node] : nodes_)
        while (::read(node.output.get(), text.data(), text.size()) > 0) {
        }
}

void BenchCluster::poll_once(int wait_ms) {
    std::array<pollfd, node_count> entries{};
    for (auto& [id, node] : nodes_)
        entries.at(id - 1) = {node.socket.get(), POLLIN, 0};
    if (::poll(entries.data(), entries.size(), wait_ms) == 0) return drain_output();
    for (auto& [id, node] : nodes_)
        if (entries.at(id - 1).revents != 0) receive(node);
}

void BenchCluster::until(const std::function<bool()>& so) {
    const auto end = Clock::now() + patience;
    while (!so()) {
        poll_once();
        if (Clock::now() > end) give_up("requests stay unanswered");
    }
}

Answer BenchCluster::call(const Log& log, RequestType type, RequestPayload payload) {
    std::optional<Answer> answer;
    ask(log, type, std::move(payload), [&answer](const Answer& given) { answer = given; });
    const Node& node = node_of(log.node);
    const auto end = Clock::now() + patience;
    while (!answer) {
        pollfd entry{node.socket.get(), POLLIN, 0};
        if (::poll(&entry, 1, 1000) > 0) receive(node);
        if (!answer && Clock::now() > end) give_up(std::string(name_of(type)) + " stays unanswered");
    }
    return *answer;
}

RegionList BenchCluster::list(RegionNumber region) {
    RegionList regions;
    regions.push_back(region);
    return regions;
}

void BenchCluster::place() {
    if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) return;
    for (NodeId id = 1; id <= node_count; ++id)
        pin_threads(corosync_.process(id), network_core);
    pin_threads(bare_.daemon, node_core);
    pin_threads(::getpid(), node_core);
}

}  // namespace cmirror::bench
