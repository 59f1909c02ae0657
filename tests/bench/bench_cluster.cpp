#include "tests/bench/bench_cluster.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "messages/invariant.hpp"

namespace cmirror::bench {
namespace {

constexpr auto patience = std::chrono::seconds{60};
constexpr std::size_t bare_round_bytes = 200;

[[noreturn]] void give_up(const std::string& what) {
    std::fprintf(stderr, "cluster_bench: %s\n", what.c_str());
    std::exit(EXIT_FAILURE);
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CMIRROR_INVARIANT(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

struct Deliveries final : GroupEvents {
    std::uint64_t messages = 0;
    std::size_t members = 0;

    void delivered(MemberId, std::span<const std::byte>) override { ++messages; }
    void changed(Membership membership) override { members = membership.members.size(); }
};

void dispatch(GroupConnection& group, Deliveries& deliveries) {
    pollfd entry{group.descriptor(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) < 1)
        give_up("corosync delivers nothing");
    bool more = true;
    while (more)
        if (group.dispatch(deliveries, 64, more) != ClusterCall::done) give_up("corosync is gone");
}

void pin_threads(pid_t process, const cpu_set_t& cores) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/" + std::to_string(process) + "/task", ignored})
        (void)::sched_setaffinity(std::stoi(entry.path().filename().string()), sizeof cores, &cores);
}

}  // namespace

BenchCluster::BenchCluster() : corosync_(node_count) {
    std::string pattern = "/tmp/cmirror-bench-XXXXXX";
    CMIRROR_INVARIANT(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    corosync_.start_all();
    std::vector<std::byte> reply(kernel_frame_size_max);
    reply.resize(pack_kernel_reply({7, RequestType::in_sync, 1, 0, std::uint64_t{1}}, reply));
    bare_ = start_server([&](UniqueFd socket) { serve_bare(socket.get(), reply); });
    for (NodeId id = 1; id <= node_count; ++id)
        start(id);
    Deliveries deliveries;
    for (auto& [id, node] : nodes_) {
        while (deliveries.members < node_count)
            dispatch(*node.group, deliveries);
        deliveries.members = 0;
    }
}

BenchCluster::~BenchCluster() {
    bare_.end();
    for (auto& [id, node] : nodes_) {
        ::kill(node.daemon, SIGKILL);
        ::waitpid(node.daemon, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void BenchCluster::start(NodeId id) {
    Node& node = nodes_[id];
    node.address = folder_ + "/kernel" + std::to_string(id);
    node.socket = UniqueFd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const sockaddr_un own = address_of(node.address + ".stand-in");
    if (::bind(node.socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) give_up("bind");
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
    corosync_.enter(id);
    auto opened = CorosyncProvider{}.open_group();
    if (!opened) give_up(opened.error());
    node.group = std::move(*opened);
    ClusterCall joined = ClusterCall::try_again;
    while (joined == ClusterCall::try_again && Clock::now() < end)
        joined = node.group->join(*Uuid::from_text("bare-rounds"));
    if (joined != ClusterCall::done) give_up("cannot join a group of corosync");
}

Log BenchCluster::create(NodeId node, const std::string& name, std::uint64_t regions, const std::string& log) {
    const Log created{node, *Uuid::from_text("LVM-" + name), next_luid_};
    next_luid_ += 0x1000;
    const std::string text = std::to_string(regions * 1024) + " " + log;
    if (call(created, RequestType::ctr, ConstructorText{text, false}).error != 0 ||
        call(created, RequestType::resume).error != 0)
        give_up("the log " + name + " is refused");
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
    Node& node = nodes_.at(log.node);
    const std::uint32_t seq = next_seq_++;
    std::array<std::byte, kernel_frame_size_max> frame;
    const auto size = pack_kernel_request({seq, type, 2, log.luid, log.uuid, std::move(payload)}, frame);
    const sockaddr_un address = address_of(node.address);
    waiting_.emplace(seq, Waiting{log, type, std::move(done)});
    if (::sendto(node.socket.get(), frame.data(), size, 0, reinterpret_cast<const sockaddr*>(&address),
                 sizeof address) < 0)
        give_up("a daemon takes no request");
}

void BenchCluster::receive(Node& node) {
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

void BenchCluster::poll_once() {
    std::array<pollfd, node_count> entries{};
    for (auto& [id, node] : nodes_)
        entries.at(id - 1) = {node.socket.get(), POLLIN, 0};
    if (::poll(entries.data(), entries.size(), 100) == 0) return drain_output();
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
    Node& node = nodes_.at(log.node);
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

void BenchCluster::rounds(NodeId id, int count, Times& times) {
    drain_output();
    GroupConnection& group = *nodes_.at(id).group;
    const std::array<std::byte, bare_round_bytes> frame{};
    Deliveries deliveries;
    for (int i = 0; i < count; ++i) {
        // What other nodes' rounds have left.
        deliveries.messages = 0;
        const auto begin = Clock::now();
        ClusterCall said = ClusterCall::try_again;
        while (said == ClusterCall::try_again)
            said = group.multicast(frame);
        if (said != ClusterCall::done) give_up("corosync takes no message");
        while (deliveries.messages == 0)
            dispatch(group, deliveries);
        times.add(Clock::now() - begin);
    }
    // Everyone else's copies.
    for (auto& [other, node] : nodes_) {
        if (other == id) continue;
        deliveries.messages = 0;
        while (deliveries.messages < static_cast<std::uint64_t>(count))
            dispatch(*node.group, deliveries);
    }
}

void BenchCluster::bare(int count, Times& times) {
    const std::array<std::byte, 64> request{};
    std::array<std::byte, kernel_frame_size_max> buffer;
    for (int i = 0; i < count; ++i) {
        const auto begin = Clock::now();
        (void)::send(bare_.socket.get(), request.data(), request.size(), 0);
        pollfd entry{bare_.socket.get(), POLLIN, 0};
        ::poll(&entry, 1, 1000);
        if (::recv(bare_.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) <= 0) give_up("no bare loop");
        times.add(Clock::now() - begin);
    }
}

void BenchCluster::pin(NodeId node, bool pinned) {
    cpu_set_t asking;
    cpu_set_t answering;
    CPU_ZERO(&asking);
    CPU_ZERO(&answering);
    const int cores = static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF));
    for (int core = 0; core < cores; ++core) {
        if (!pinned || core == 0) CPU_SET(core, &asking);
        if (!pinned || core == 1 % cores) CPU_SET(core, &answering);
    }
    (void)::sched_setaffinity(0, sizeof asking, &asking);
    pin_threads(daemon(node), answering);
    pin_threads(bare_.process, answering);
}

}  // namespace cmirror::bench
