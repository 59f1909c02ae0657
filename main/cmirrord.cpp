// cmirrord: the cluster mirror log daemon.
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "adapters/process/daemonize.hpp"
#include "main/options.hpp"
#include "main/rooms.hpp"
#include "main/start.hpp"

namespace {

using cmirror::ExitCode;

int run(const cmirror::Options& options) {
    auto readiness = cmirror::Readiness::foreground();
    const auto fail = [&readiness](const cmirror::StartFailure& failure) {
        readiness.failed(static_cast<int>(failure.code), failure.text);
        return static_cast<int>(failure.code);
    };
    if (auto allowed = cmirror::check_rights(options); !allowed) return fail(allowed.error());
    if (!options.foreground) {
        auto background = cmirror::daemonize();
        if (!background) return fail({ExitCode::failure, background.error()});
        readiness = std::move(*background);
    }
    auto resources = cmirror::acquire(options, cmirror::open_sink(options));
    if (!resources) return fail(resources.error());
    cmirror::run_rooms(*resources, [&] {
        readiness.ready();
        resources->manager->ready();
        resources->sink->write_about(
            {cmirror::LogEvent::daemon_ready}, cmirror::LogLevel::notice,
            "ready: version " + resources->identity.version + ", node " + std::to_string(resources->identity.node));
    });
    return static_cast<int>(ExitCode::success);
}

}  // namespace

int main(int argc, char** argv) {
    auto options = cmirror::parse_options(std::span(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0));
    if (!options) {
        std::fprintf(stderr, "cmirrord: %s\n%s", options.error().c_str(), cmirror::usage().data());
        return static_cast<int>(ExitCode::usage);
    }
    if (options->help) {
        std::fputs(cmirror::usage().data(), stdout);
        return static_cast<int>(ExitCode::success);
    }
    // The background has another folder.
    if (auto& path = options->kernel_stand_in; !path.empty()) path = std::filesystem::absolute(path).string();
    return run(*options);
}
