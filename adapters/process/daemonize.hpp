// Into the background, with word to the parent of how that went.
#pragma once

#include <string>
#include <string_view>

#include "adapters/unique_fd.hpp"
#include "messages/result.hpp"

namespace cmirror {

/// Tells whoever started the daemon, once, that it is ready or why it is not.
class Readiness {
  public:
    /// For a daemon that stays in the foreground: ready() does nothing, failed() prints to stderr.
    static Readiness foreground() { return Readiness{UniqueFd{}}; }
    /// `parent` is the writing end of the pipe that the parent reads.
    explicit Readiness(UniqueFd parent) : parent_(std::move(parent)), in_background_(parent_.is_open()) {}

    /// The parent ends with exit code 0. In the background stderr becomes /dev/null.
    void ready();
    /// The parent prints `message` to its stderr and ends with `code` (1 to 255). The caller is to end, too.
    void failed(int code, std::string_view message);

  private:
    UniqueFd parent_;
    bool in_background_;
    bool told_ = false;
};

/// Forks: returns in the child only, which has a session of its own, / as its folder, and /dev/null as its input and
/// output. The parent waits for the child's word and ends with _exit; a child that ends without a word counts as
/// failed. Call it before any thread exists. An error is a line of text, in the calling process.
Result<Readiness, std::string> daemonize();

}  // namespace cmirror
