#include "adapters/process/daemonize.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "messages/invariant.hpp"

namespace cmirror {
namespace {

void write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::string read_all(int descriptor) {
    std::string text;
    std::array<char, 1024> buffer;
    for (;;) {
        const auto size = ::read(descriptor, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
}

void say(std::string_view line) {
    write_all(STDERR_FILENO, std::string{"cmirrord: "} + std::string{line} + "\n");
}

/// Without a word from the child: its own exit code if it has one, else 1.
int code_of_silent_child(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        say(std::string{"the daemon was ended by signal "} + std::to_string(WTERMSIG(status)) + " before it was ready");
        return EXIT_FAILURE;
    }
    say("the daemon ended before it was ready");
    const int code = WEXITSTATUS(status);
    return code == 0 ? EXIT_FAILURE : code;
}

/// The child's word is one byte, its exit code, and then the message; until the pipe is closed.
[[noreturn]] void wait_for_word(int pipe, pid_t child) {
    const auto word = read_all(pipe);
    const int code = word.empty() ? code_of_silent_child(child) : static_cast<unsigned char>(word[0]);
    if (code != 0 && !word.empty()) say(std::string_view{word}.substr(1));
    ::_exit(code);
}

void become(std::span<const int> descriptors, const char* path, int flags) {
    const UniqueFd null{::open(path, flags | O_CLOEXEC)};
    if (!null.is_open()) return;
    for (const int descriptor : descriptors)
        ::dup2(null.get(), descriptor);
}

}  // namespace

void Readiness::ready() {
    CMIRROR_INVARIANT(!told_);
    told_ = true;
    if (!in_background_) return;
    become(std::array{STDERR_FILENO}, "/dev/null", O_RDWR);
    write_all(parent_.get(), std::string_view{"\0", 1});
    parent_.reset();
}

void Readiness::failed(int code, std::string_view message) {
    CMIRROR_INVARIANT(!told_ && code > 0 && code < 256);
    told_ = true;
    if (!in_background_) {
        say(message);
        return;
    }
    write_all(parent_.get(), static_cast<char>(code) + std::string{message});
    parent_.reset();
}

Result<Readiness, std::string> daemonize() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return Failure<std::string>{std::string{"cannot make a pipe: "} + std::strerror(errno)};
    UniqueFd reading{ends[0]}, writing{ends[1]};
    const pid_t child = ::fork();
    if (child < 0) return Failure<std::string>{std::string{"cannot fork: "} + std::strerror(errno)};
    if (child > 0) {
        writing.reset();
        wait_for_word(reading.get(), child);
    }
    reading.reset();
    ::setsid();
    // So that no file system is kept busy.
    if (::chdir("/") != 0) return Failure<std::string>{std::string{"cannot change to /: "} + std::strerror(errno)};
    // stderr stays until ready(): libraries may have something to say about why the start fails.
    become(std::array{STDIN_FILENO, STDOUT_FILENO}, "/dev/null", O_RDWR);
    return Readiness{std::move(writing)};
}

}  // namespace cmirror
