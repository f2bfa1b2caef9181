#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What one run of the benchmark suite measured: the values of its JSON file.
//
//   {"host": {"kernel": "..", "cpus": 2, "cgroups": "hybrid", "date": "..", "pct": "path"},
//    "plan": "text of pct plan",
//    "series": [{"group": "start", "variant": "base", "tool": "pct", "unit": "ms", "leaves_out": "",
//                "samples": [..]}, ..],
//    "trace": {"traceEvents": [..]}}           // optional; Chrome's trace format, times in microseconds
namespace hutch::bench {

struct Host {
  std::string kernel;
  int cpus = 0;  // at least 1
  std::string cgroups;
  std::string date;
  std::string pct;
};

// One tool doing one thing in one way, many times. (group, variant, tool) is unique in a file.
struct Series {
  std::string group;            // "start", "exec", "density_start" ..
  std::string variant;          // "base", "image-rootfs"; for density the number of running containers
  std::string tool;             // "floor", "pct", "lxc" ..
  std::string unit;             // of the samples: "ms", "kB", "starts/s", "ns"; one per group
  std::string leaves_out;       // of the floor's work; "" is nothing
  std::vector<double> samples;  // at least one, each above 0
};

// One step of a traced start: an event of phase "X". Times in milliseconds since the first step's begin.
struct TraceStep {
  std::string process;  // as the file's process_name says, else "process <pid>"
  std::string category;
  std::string name;
  double begin = 0;
  double duration = 0;  // not negative
};

struct Results {
  std::string file;  // for messages
  Host host;
  std::string plan;
  std::vector<Series> series;
  std::vector<TraceStep> trace;  // by begin, longer first; empty when the file has none
};

// Unknown keys are passed over, so that a newer run can be compared with an older one. Everything else that
// does not fit is an Error naming the file and the field, as `series[3].samples[0]`; so are a missing field
// (other than trace), an empty list of samples, two series with the same names and two units in a group.
Results parse_results(std::string_view json, const std::string& file);
Results read_results(const std::string& path);

// nullptr when there is no such series.
const Series* find_series(const Results& results, std::string_view group, std::string_view variant,
                          std::string_view tool);

// "start of pct, variant base": names a series in messages.
std::string series_name(const Series& series);

}  // namespace hutch::bench
