#pragma once

#include <string>
#include <vector>

#include "base/trace.h"

namespace hutch::cli {

// The spans in Chrome's trace event format (JSON object form, complete events, times in microseconds), which
// chrome://tracing, Perfetto and bench/hutch-pictures read.
std::string chrome_trace(const std::vector<TraceSpan>& spans);

// Writes the trace to `path`, replacing what is there. Throws Error.
void write_chrome_trace(const std::string& path, const std::vector<TraceSpan>& spans);

}  // namespace hutch::cli
