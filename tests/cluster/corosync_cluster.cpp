#include "tests/cluster/corosync_cluster.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace cmirror::test {
namespace {

constexpr auto start_deadline = std::chrono::seconds{60};

[[noreturn]] void give_up(const std::string& what) {
    std::fprintf(stderr, "corosync test set-up failed: %s\n", what.c_str());
    std::exit(EXIT_FAILURE);
}

void require(bool done, const std::string& what) {
    if (!done) give_up(what + ": " + std::strerror(errno));
}

void shell(const std::string& command) {
    if (std::system(command.c_str()) != 0) give_up("`" + command + "` failed (package iproute2?)");
}

std::string node_path(const UniqueFd& network) {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(network.get());
}

}  // namespace

void enter_private_namespaces() {
    require(::geteuid() == 0, "this test starts corosync in namespaces of its own and must be run as root");
    require(::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) == 0,
            "cannot make namespaces (CAP_SYS_ADMIN, CONFIG_NET_NS)");
    require(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "cannot make mounts private");
    require(::mount("tmpfs", "/dev/shm", "tmpfs", 0, nullptr) == 0, "cannot mount a tmpfs on /dev/shm");
    shell("ip link set lo up");
    // As the connector, Unix datagram sockets take more than the 10 datagrams that are usual.
    shell("echo 4096 >/proc/sys/net/unix/max_dgram_qlen");
}

CorosyncCluster::CorosyncCluster(NodeId node_count) {
    std::string pattern = "/tmp/cmirror-corosync-XXXXXX";
    require(::mkdtemp(pattern.data()) != nullptr, "cannot make a folder in /tmp");
    folder_ = pattern;
    base_network_ = UniqueFd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
    require(base_network_.is_open(), "cannot open the network namespace");
    for (NodeId node = 1; node <= node_count; ++node)
        nodes_.push_back(std::make_unique<Node>());
    shell("ip link show br0 >/dev/null 2>&1 || ip link add br0 type bridge forward_delay 0; ip link set br0 up");
    for (NodeId node = 1; node <= node_count; ++node) {
        std::filesystem::create_directories(folder_ + "/" + std::to_string(node) + "/run");
        make_network(node);
        write_configuration(node);
    }
}

CorosyncCluster::~CorosyncCluster() {
    for (NodeId node = 1; node <= nodes_.size(); ++node)
        if (node_of(node).process != 0) kill(node);
    ::setns(base_network_.get(), CLONE_NEWNET);
    for (NodeId node = 1; node <= nodes_.size(); ++node)
        shell("ip link delete v" + std::to_string(node));
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void CorosyncCluster::make_network(NodeId node) {
    auto& network = node_of(node).network;
    std::thread([&network] {
        require(::unshare(CLONE_NEWNET) == 0, "cannot make a network namespace");
        network = UniqueFd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
    }).join();
    require(network.is_open(), "cannot open a network namespace");
    const auto number = std::to_string(node);
    const auto here = "ip link add v" + number + " type veth peer name eth0 netns " + node_path(network) +
                      " && ip link set v" + number + " master br0 up";
    shell(here);
    const pid_t child = spawn(node, {"sh", "-c",
                                     "ip link set lo up && ip addr add 10.77.0." + number + "/24 dev eth0 && " +
                                         "ip link set eth0 up && echo 4096 >/proc/sys/net/unix/max_dgram_qlen"});
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) give_up("cannot set the address of node " + number);
}

void CorosyncCluster::write_configuration(NodeId node) {
    const auto state = folder_ + "/" + std::to_string(node);
    std::ofstream file{state + "/corosync.conf"};
    file << "totem {\n version: 2\n cluster_name: test\n transport: udpu\n token: 1000\n"
         << " crypto_cipher: none\n crypto_hash: none\n}\nnodelist {\n";
    for (NodeId other = 1; other <= nodes_.size(); ++other)
        file << " node {\n  ring0_addr: 10.77.0." << other << "\n  nodeid: " << other << "\n  name: n" << other
             << "\n }\n";
    file << "}\nquorum {\n provider: corosync_votequorum\n}\nlogging {\n to_stderr: yes\n to_syslog: no\n}\n"
         << "system {\n state_dir: " << state << "\n}\n";
    require(file.flush().good(), "cannot write corosync.conf");
}

pid_t CorosyncCluster::fork_into(NodeId node, int output, const std::vector<std::string>& arguments) {
    std::vector<char*> argv;
    for (const auto& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const int network = node_of(node).network.get();
    const auto run_folder = folder_ + "/" + std::to_string(node) + "/run";
    const pid_t child = ::fork();
    require(child >= 0, "cannot fork");
    if (child > 0) return child;
    // What is typed at the terminal is for whoever started this.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (output >= 0) {
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
    }
    const bool inside = ::setns(network, CLONE_NEWNET) == 0 && ::unshare(CLONE_NEWNS) == 0 &&
                        ::mount(run_folder.c_str(), "/run", nullptr, MS_BIND, nullptr) == 0;
    if (inside) ::execvp(argv[0], argv.data());
    ::_exit(127);
}

pid_t CorosyncCluster::spawn(NodeId node, const std::vector<std::string>& arguments, int output) {
    return fork_into(node, output, arguments);
}

void CorosyncCluster::start(NodeId id) {
    auto& node = node_of(id);
    std::array<int, 2> ends{};
    require(::pipe2(ends.data(), O_CLOEXEC) == 0, "cannot make a pipe");
    UniqueFd writing{ends[1]};
    const auto configuration = folder_ + "/" + std::to_string(id) + "/corosync.conf";
    {
        const std::lock_guard guard{node.mutex};
        node.log.clear();
        node.ended = false;
    }
    node.process = fork_into(id, writing.get(), {"corosync", "-f", "-c", configuration});
    writing.reset();
    node.reader = std::thread([&node, reading = UniqueFd{ends[0]}] {
        std::array<char, 4096> buffer;
        for (;;) {
            const auto size = ::read(reading.get(), buffer.data(), buffer.size());
            if (size < 0 && errno == EINTR) continue;
            const std::lock_guard guard{node.mutex};
            if (size > 0) node.log.append(buffer.data(), static_cast<std::size_t>(size));
            if (size <= 0) node.ended = true;
            node.changed.notify_all();
            if (size <= 0) return;
        }
    });
    std::unique_lock lock{node.mutex};
    const auto is_ready = [&] { return node.log.find("ready to provide service") != std::string::npos; };
    node.changed.wait_for(lock, start_deadline, [&] { return node.ended || is_ready(); });
    if (!is_ready()) give_up("corosync did not start (package corosync?):\n" + node.log);
}

void CorosyncCluster::start_all() {
    for (NodeId node = 1; node <= nodes_.size(); ++node)
        start(node);
}

void CorosyncCluster::signal(NodeId node, int number) {
    const pid_t process = node_of(node).process;
    if (process == 0) give_up("corosync does not run on node " + std::to_string(node));
    ::kill(process, number);
}

void CorosyncCluster::reap(NodeId id) {
    auto& node = node_of(id);
    ::waitpid(node.process, nullptr, 0);
    node.process = 0;
    node.reader.join();
}

void CorosyncCluster::stop(NodeId node) {
    signal(node, SIGTERM);
    reap(node);
}

void CorosyncCluster::kill(NodeId node) {
    signal(node, SIGKILL);
    reap(node);
}

void CorosyncCluster::pause(NodeId node) {
    signal(node, SIGSTOP);
}
void CorosyncCluster::resume(NodeId node) {
    signal(node, SIGCONT);
}

void CorosyncCluster::disconnect(NodeId node) {
    require(::setns(base_network_.get(), CLONE_NEWNET) == 0, "cannot enter the base network");
    shell("ip link set v" + std::to_string(node) + " down");
}

void CorosyncCluster::connect(NodeId node) {
    require(::setns(base_network_.get(), CLONE_NEWNET) == 0, "cannot enter the base network");
    shell("ip link set v" + std::to_string(node) + " up");
}

void CorosyncCluster::enter(NodeId node) {
    require(::setns(node_of(node).network.get(), CLONE_NEWNET) == 0, "cannot enter a node's network");
}

std::string CorosyncCluster::log(NodeId id) {
    auto& node = node_of(id);
    const std::lock_guard guard{node.mutex};
    return node.log;
}

}  // namespace cmirror::test
