#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "adapters/log_sink/log_sinks.hpp"

namespace cmirror {
namespace {

/// A longer line is cut, as it is for syslog.
constexpr std::size_t value_max = 2000;

/// A line feed in a value would need the protocol's binary form.
void add(std::string& datagram, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    const auto begin = datagram.append(name).append("=").size();
    datagram.append(value.substr(0, value_max));
    std::replace(datagram.begin() + static_cast<std::ptrdiff_t>(begin), datagram.end(), '\n', ' ');
    datagram += '\n';
}

std::string datagram_of(const LogSubject& subject, LogLevel level, std::string_view line) {
    std::string datagram;
    add(datagram, "MESSAGE", line);
    add(datagram, "PRIORITY", std::to_string(priority_of(level)));
    add(datagram, "SYSLOG_IDENTIFIER", "cmirrord");
    add(datagram, "MESSAGE_ID", message_id(subject.event));
    add(datagram, "CMIRROR_UUID", subject.uuid);
    return datagram;
}

}  // namespace

JournalSink::JournalSink(const std::string& path)
    : writer_(path, [](const std::string& line) { return datagram_of({}, LogLevel::warning, line); }) {}

void JournalSink::write_about(const LogSubject& subject, LogLevel level, std::string_view line) noexcept try {
    writer_.write(datagram_of(subject, level, line));
} catch (...) {
    writer_.count_lost();
}

std::string_view message_id(LogEvent event) {
    switch (event) {
        case LogEvent::none:
            break;
        case LogEvent::daemon_ready:
            return "0af534f3e5ec495ca4abc0ec8472ad6d";
        case LogEvent::daemon_stopping:
            return "df81a13aecce4fb497f2fd123dc425db";
        case LogEvent::stop_refused:
            return "7772b2e3195c49519384767f4418fcdc";
        case LogEvent::corosync_lost:
            return "ba64aeb6c3b342768a22e51e23205b90";
        case LogEvent::corosync_back:
            return "95765736fa9e497c87d2cfa08650c95a";
        case LogEvent::log_joined:
            return "d81a61a78e724d2ba486c5537c05a790";
        case LogEvent::node_lost:
            return "17b4c365aed2453fad50a727c3b575ba";
        case LogEvent::node_gone:
            return "9389ec3e82de4ba29b9ec2971aee6701";
        case LogEvent::quorum_lost:
            return "59f5f31fdf464d3997dc2d18199af928";
        case LogEvent::quorum_back:
            return "5e6297a7ed084bd8bc8829429f767b77";
        case LogEvent::device_failed:
            return "7ccffce8a18a414c826168dab0611d5f";
        case LogEvent::device_works:
            return "266b1451ccb24a0994b884e27ec13db5";
        case LogEvent::states_differ:
            return "59852bd0d70348dfbd2eda4df512246f";
    }
    return {};
}

bool in_journal(int descriptor) {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (stream == nullptr || ::fstat(descriptor, &status) != 0) return false;
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

}  // namespace cmirror
