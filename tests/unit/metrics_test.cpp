// The daemon's counters for Prometheus, and the histogram behind them.
#include "main/ctl/metrics.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "tests/unit/status_example.hpp"

namespace cmirror::ctl {
namespace {

using namespace std::chrono_literals;

const LocalMirrors mirrors{{"CMIRROR-data", {"data"}}};

std::string lines_of(const std::string& text, const std::string& name) {
    std::istringstream in(text);
    std::string found;
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(name) || line.starts_with("# HELP " + name + " ") ||
            line.starts_with("# TYPE " + name + " "))
            found += line + "\n";
    return found;
}

TEST(LatencyHistogram, bounds_belong_to_their_bucket) {
    LatencyHistogram times;
    EXPECT_EQ(times.below_us(0.5), 0U);
    times.add(10us);
    times.add(10us + 1ns);
    times.add(1h);
    times.add(-1ns);
    EXPECT_EQ(times.counts[0], 2U);
    EXPECT_EQ(times.counts[1], 1U);
    EXPECT_EQ(times.counts.back(), 1U);
    EXPECT_EQ(times.count(), 4U);
    EXPECT_EQ(times.below_us(0.5), 10U);
    EXPECT_EQ(times.below_us(0.75), 30U);
    EXPECT_EQ(times.below_us(1), 0U);
}

TEST(Metrics, numbers_of_a_log) {
    const auto text = metrics_text(test::snapshot_example(), mirrors);
    EXPECT_EQ(lines_of(text, "cmirror_regions_in_sync"),
              "# HELP cmirror_regions_in_sync Regions that are equal on all legs.\n"
              "# TYPE cmirror_regions_in_sync gauge\n"
              "cmirror_regions_in_sync{mirror=\"data\",uuid=\"CMIRROR-data\"} 35\n");
    EXPECT_EQ(lines_of(text, "cmirror_log_device_written_bytes_total{"),
              "cmirror_log_device_written_bytes_total{mirror=\"data\",uuid=\"CMIRROR-data\"} 20480\n");
    EXPECT_EQ(lines_of(text, "cmirror_info"),
              "# HELP cmirror_info The daemon.\n"
              "# TYPE cmirror_info gauge\n"
              "cmirror_info{version=\"1.2.3\",node=\"1\"} 1\n");
    EXPECT_EQ(lines_of(text, "cmirror_cluster_quorum{").size() + lines_of(text, "cmirror_cluster_quorum ").size(), 25U);
}

TEST(Metrics, oldest_request_in_seconds) {
    const auto text = metrics_text(test::snapshot_example(), mirrors);
    EXPECT_EQ(lines_of(text, "cmirror_oldest_request_age_seconds{"),
              "cmirror_oldest_request_age_seconds{mirror=\"data\",uuid=\"CMIRROR-data\"} 3.24\n");
}

TEST(Metrics, histograms_are_cumulative_and_in_seconds) {
    const auto text = lines_of(metrics_text(test::snapshot_example(), mirrors), "cmirror_request_duration_seconds");
    EXPECT_NE(text.find("_bucket{type=\"FLUSH\",le=\"0.0003\"} 0\n"), std::string::npos) << text;
    EXPECT_NE(text.find("_bucket{type=\"FLUSH\",le=\"0.001\"} 1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("_bucket{type=\"FLUSH\",le=\"0.003\"} 2\n"), std::string::npos) << text;
    EXPECT_NE(text.find("_bucket{type=\"FLUSH\",le=\"+Inf\"} 2\n"), std::string::npos) << text;
    EXPECT_NE(text.find("_sum{type=\"FLUSH\"} 0.0029\n"), std::string::npos) << text;
    EXPECT_NE(text.find("_count{type=\"FLUSH\"} 2\n"), std::string::npos) << text;
}

// https://prometheus.io/docs/instrumenting/exposition_formats
TEST(Metrics, every_sample_has_a_head_before_it_and_every_head_comes_once) {
    std::set<std::string> heads;
    std::istringstream in(metrics_text(test::snapshot_example(), mirrors) + metrics_text_down().substr(0, 0));
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("# TYPE ")) {
            const auto name = line.substr(7, line.find(' ', 7) - 7);
            EXPECT_TRUE(heads.insert(name).second) << line;
            EXPECT_EQ(line.ends_with(" counter"), name.ends_with("_total")) << line;
            continue;
        }
        if (line.starts_with("#")) continue;
        auto name = line.substr(0, line.find_first_of("{ "));
        for (const std::string suffix : {"_bucket", "_sum", "_count"})
            if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
        EXPECT_TRUE(heads.contains(name)) << line;
        EXPECT_TRUE(name.starts_with("cmirror_")) << line;
    }
    EXPECT_GT(heads.size(), 20U);
}

TEST(Metrics, daemon_that_is_down_is_a_number_too) {
    EXPECT_EQ(metrics_text_down(),
              "# HELP cmirror_up 1 if the daemon answers.\n# TYPE cmirror_up gauge\ncmirror_up 0\n");
}

}  // namespace
}  // namespace cmirror::ctl
