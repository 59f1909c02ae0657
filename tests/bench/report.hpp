// The table of what was measured, what it is measured beside, and whether the goal is met.
#pragma once

#include <cstdio>
#include <string>

namespace cmirror::bench {

/// Prints a line as soon as it is known.
class Report {
  public:
    void heading(const std::string& text) {
        std::printf("\n%-58s %10s %10s %8s %8s\n", text.c_str(), "measured", "beside", "ratio", "goal");
        std::fflush(stdout);
    }
    /// Two times in microseconds, as a ratio that is to be small.
    void ratio(const std::string& what, double measured_us, double beside_us, double goal) {
        const double ratio = beside_us > 0 ? measured_us / beside_us : 0;
        line(what, text(measured_us, "us"), text(beside_us, "us"), text(ratio, ""), text(goal, ""),
             beside_us > 0 && ratio <= goal);
    }
    void at_most(const std::string& what, double measured, const char* unit, double goal) {
        line(what, text(measured, unit), "", "", text(goal, unit), measured <= goal);
    }
    void at_least(const std::string& what, double measured, const char* unit, double goal) {
        line(what, text(measured, unit), "", "", text(goal, unit), measured >= goal);
    }
    /// For the eye: there is no goal.
    static void note(const std::string& what, double measured, const char* unit) {
        std::printf("%-58s %10s\n", what.c_str(), text(measured, unit).c_str());
        std::fflush(stdout);
    }
    int missed() const { return missed_; }

  private:
    static std::string text(double value, const char* unit) {
        char buffer[32];
        std::snprintf(buffer, sizeof buffer,
                      value >= 1000 ? "%.0f %s"
                      : value >= 10 ? "%.1f %s"
                                    : "%.2f %s",
                      value, unit);
        std::string result{buffer};
        while (!result.empty() && result.back() == ' ')
            result.pop_back();
        return result;
    }
    void line(const std::string& what, const std::string& measured, const std::string& beside, const std::string& ratio,
              const std::string& goal, bool met) {
        std::printf("%-58s %10s %10s %8s %8s   %s\n", what.c_str(), measured.c_str(), beside.c_str(), ratio.c_str(),
                    goal.c_str(), met ? "met" : "missed");
        std::fflush(stdout);
        missed_ += met ? 0 : 1;
    }

    int missed_ = 0;
};

}  // namespace cmirror::bench
