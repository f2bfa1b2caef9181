#include "bench/results_writer.h"

#include "base/format.h"

namespace hutch::bench {

namespace {

// RFC 8259, section 7.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (code < 0x20) {
      result += formatted("\\u{:04x}", static_cast<unsigned>(code));
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string series_text(const Series& series) {
  std::string samples;
  for (const double sample : series.samples)
    samples += formatted("{}{:.6g}", samples.empty() ? "" : ",", sample);
  return formatted(R"({{"group":{},"variant":{},"tool":{},"unit":{},"leaves_out":{},"samples":[{}]}})",
                   quoted(series.group), quoted(series.variant), quoted(series.tool), quoted(series.unit),
                   quoted(series.leaves_out), samples);
}

}  // namespace

std::string print_results(const Results& results, const std::string& trace) {
  const Host& host = results.host;
  std::string text =
      formatted("{{\"host\":{{\"kernel\":{},\"cpus\":{},\"cgroups\":{},\"date\":{},\"pct\":{}}},\n",
                quoted(host.kernel), host.cpus, quoted(host.cgroups), quoted(host.date), quoted(host.pct));
  text += formatted("\"plan\":{},\n\"series\":[", quoted(results.plan));
  std::string separator = "\n";
  for (const auto& series : results.series) {
    text += separator + series_text(series);
    separator = ",\n";
  }
  text += "\n]";
  if (!trace.empty()) text += ",\n\"trace\":" + trace;
  return text + "}\n";
}

}  // namespace hutch::bench
