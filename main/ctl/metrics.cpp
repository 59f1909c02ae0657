#include "main/ctl/metrics.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>
#include <vector>

namespace cmirror::ctl {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '"') out += '\\';
        out += c == '\n' ? ' ' : c;
    }
    return out;
}

std::string labels_text(const Labels& labels) {
    std::string text;
    for (const auto& [name, value] : labels)
        text += (text.empty() ? "{" : ",") + name + "=\"" + escaped(value) + "\"";
    return text.empty() ? text : text + "}";
}

std::string in_seconds(double seconds) {
    char text[48];
    std::snprintf(text, sizeof text, "%.9g", seconds);
    return text;
}

class Metrics {
  public:
    void head(const std::string& name, const char* type, const char* help) {
        text_ += "# HELP cmirror_" + name + " " + help + "\n# TYPE cmirror_" + name + " " + type + "\n";
    }
    void sample(const std::string& name, const Labels& labels, const std::string& value) {
        text_ += "cmirror_" + name + labels_text(labels) + " " + value + "\n";
    }
    void sample(const std::string& name, const Labels& labels, std::uint64_t value) {
        sample(name, labels, std::to_string(value));
    }
    void histogram(const std::string& name, const Labels& labels, const LatencyHistogram& times) {
        std::uint64_t below = 0;
        for (std::size_t bucket = 0; bucket < times.counts.size(); ++bucket) {
            below += times.counts[bucket];
            auto with_bound = labels;
            with_bound.emplace_back("le",
                                    bucket < LatencyHistogram::bounds_us.size()
                                        ? in_seconds(static_cast<double>(LatencyHistogram::bounds_us[bucket]) / 1e6)
                                        : "+Inf");
            sample(name + "_bucket", with_bound, below);
        }
        sample(name + "_sum", labels, in_seconds(static_cast<double>(times.sum_ns) / 1e9));
        sample(name + "_count", labels, below);
    }
    std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

/// A number that every log has.
struct LogMetric {
    const char* name;
    const char* type;
    const char* help;
    std::function<std::uint64_t(const LogStatus&)> value;
};

std::uint64_t recovering_count(const LogStatus& log) {
    std::uint64_t regions = 0;
    for (const auto& run : log.recovering)
        regions += run.count;
    return regions;
}

std::uint64_t absent_marks(const LogStatus& log) {
    std::uint64_t regions = 0;
    for (const auto& marks : log.marks)
        if (!marks.present) regions += marks.everything ? log.region_count : marks.count;
    return regions;
}

const std::vector<LogMetric>& log_metrics() {
    static const std::vector<LogMetric> metrics{
        {"region_size_bytes", "gauge", "Size of a region.", [](auto& log) { return log.region_size_sectors * 512; }},
        {"regions", "gauge", "Regions of the mirror.", [](auto& log) { return log.region_count; }},
        {"regions_in_sync", "gauge", "Regions that are equal on all legs.", [](auto& log) { return log.sync_count; }},
        {"regions_dirty", "gauge", "Regions that are being written, or were lately.",
         [](auto& log) { return log.dirty_count; }},
        {"regions_recovering", "gauge", "Regions that are handed out for recovery.", recovering_count},
        {"regions_marked_by_absent_nodes", "gauge", "Regions that nodes which are away may still write.", absent_marks},
        {"members", "gauge", "Members of the log's group.", [](auto& log) { return log.members.size(); }},
        {"quorate", "gauge", "1 if the log's group has quorum.", [](auto& log) { return log.quorate ? 1U : 0U; }},
        {"refresh_due", "gauge", "1 if the kernel asks for work only after its next resume.",
         [](auto& log) { return log.refresh_due ? 1U : 0U; }},
        {"log_device_failed", "gauge", "1 if the log device fails.",
         [](auto& log) { return log.device && log.device->failed ? 1U : 0U; }},
        {"pending_requests", "gauge", "Requests that are not answered yet.",
         [](auto& log) { return log.pending.size(); }},
        {"requests_total", "counter", "Requests of the kernel.", [](auto& log) { return log.requests; }},
        {"bad_requests_total", "counter", "Requests that made no sense.", [](auto& log) { return log.bad_requests; }},
        {"marked_ahead_total", "counter", "Regions marked ahead of a stream of writes.",
         [](auto& log) { return log.marked_ahead; }},
        {"rounds_total", "counter", "Answers that waited for the cluster.", [](auto& log) { return log.rounds; }},
        {"regions_recovered_total", "counter", "Regions that this node has recovered.",
         [](auto& log) { return log.recovered_here; }},
        {"log_device_writes_total", "counter", "Writes to the log device.",
         [](auto& log) { return log.device ? log.device->writes : 0; }},
        {"log_device_written_bytes_total", "counter", "Bytes written to the log device.",
         [](auto& log) { return log.device ? log.device->bytes_written : 0; }},
    };
    return metrics;
}

std::uint64_t oldest_request_ms(const LogStatus& log) {
    std::uint64_t oldest = 0;
    for (const auto& request : log.pending)
        oldest = std::max(oldest, request.waited_ms);
    return oldest;
}

std::uint64_t failed_legs(const LocalMirror& mirror) {
    return static_cast<std::uint64_t>(
        std::count_if(mirror.legs.begin(), mirror.legs.end(), [](const Leg& leg) { return leg.failed(); }));
}

/// Text values and what is no counter are left out: the parts' fields are for people first.
void add_components(Metrics& metrics, const StatusSnapshot& snapshot) {
    const std::vector<std::pair<std::string, std::string>> counters{
        {"requests", "kernel_requests"}, {"replies", "kernel_replies"},         {"refused", "kernel_refused"},
        {"overruns", "kernel_overruns"}, {"send-errors", "kernel_send_errors"},
    };
    for (const auto& [field, name] : counters) {
        const auto value = field_of(snapshot, "kernel", field);
        if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos) continue;
        metrics.head(name + "_total", "counter", "As the daemon's kernel gateway counts it.");
        metrics.sample(name + "_total", {}, value);
    }
    for (const auto* field : {"connected", "quorum"}) {
        const auto value = field_of(snapshot, "cluster", field);
        if (value.empty()) continue;
        const auto name = std::string("cluster_") + field;
        metrics.head(name, "gauge", "1 if so, by corosync's word.");
        metrics.sample(name, {}, value == "YES" ? 1U : 0U);
    }
}

void add_request_times(Metrics& metrics, const StatusSnapshot& snapshot) {
    metrics.head("request_duration_seconds", "histogram", "From a request of the kernel to its answer.");
    for (const auto& part : snapshot.actors)
        if (const auto* actor = std::get_if<ActorStatus>(&part))
            for (const auto& [type, times] : actor->times)
                metrics.histogram("request_duration_seconds", {{"type", type}}, times);
}

}  // namespace

std::string metrics_text_down() {
    Metrics metrics;
    metrics.head("up", "gauge", "1 if the daemon answers.");
    metrics.sample("up", {}, 0);
    return metrics.take();
}

std::string metrics_text(const StatusSnapshot& snapshot, const LocalMirrors& mirrors) {
    Metrics metrics;
    metrics.head("up", "gauge", "1 if the daemon answers.");
    metrics.sample("up", {}, 1);
    metrics.head("info", "gauge", "The daemon.");
    metrics.sample("info", {{"version", snapshot.daemon.version}, {"node", std::to_string(snapshot.daemon.node)}}, 1);
    add_components(metrics, snapshot);
    const auto labels_of = [&mirrors](const LogStatus& log) {
        return Labels{{"mirror", name_of(log, mirrors)}, {"uuid", std::string(log.uuid.text())}};
    };
    const auto for_each_log = [&snapshot](const std::function<void(const LogStatus&)>& use) {
        for (const auto& part : snapshot.logs)
            if (const auto* log = std::get_if<LogStatus>(&part)) use(*log);
    };
    for (const auto& metric : log_metrics()) {
        metrics.head(metric.name, metric.type, metric.help);
        for_each_log([&](const LogStatus& log) { metrics.sample(metric.name, labels_of(log), metric.value(log)); });
    }
    metrics.head("oldest_request_age_seconds", "gauge", "How long the request that waits for longest has waited.");
    for_each_log([&](const LogStatus& log) {
        metrics.sample("oldest_request_age_seconds", labels_of(log),
                       in_seconds(static_cast<double>(oldest_request_ms(log)) / 1e3));
    });
    metrics.head("legs_failed", "gauge", "Legs that have failed on this node.");
    for_each_log([&](const LogStatus& log) {
        if (const auto found = mirrors.find(std::string(log.uuid.text())); found != mirrors.end())
            metrics.sample("legs_failed", labels_of(log), failed_legs(found->second));
    });
    metrics.head("round_duration_seconds", "histogram", "From a multicast to its delivery on this node.");
    for_each_log(
        [&](const LogStatus& log) { metrics.histogram("round_duration_seconds", labels_of(log), log.round_time); });
    add_request_times(metrics, snapshot);
    return metrics.take();
}

}  // namespace cmirror::ctl
