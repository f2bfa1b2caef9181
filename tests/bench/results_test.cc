#include "bench/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/format.h"

namespace hutch::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kHost =
    R"("host": {"kernel": "6.18", "cpus": 2, "cgroups": "hybrid", "date": "2026-11-21", "pct": "/usr/bin/pct"})";
constexpr const char* kSeries =
    R"({"group": "start", "variant": "base", "tool": "pct", "unit": "ms", "leaves_out": "", "samples": [2.5, 3]})";

std::string file(const std::string& series, const std::string& more = {}) {
  return formatted("{{{}, \"plan\": \"the plan\", \"series\": [{}]{}}}", kHost, series, more);
}

std::string trace(const std::string& events) {
  return file(kSeries, R"(, "trace": {"displayTimeUnit": "ms", "traceEvents": [)" + events + "]}");
}

std::string error_of(const std::string& json) {
  try {
    parse_results(json, "run.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Results, ReadsEveryField) {
  const Results results = parse_results(file(kSeries, R"(, "later": [1])"), "run.json");
  EXPECT_EQ(results.file, "run.json");
  EXPECT_EQ(results.host.kernel, "6.18");
  EXPECT_EQ(results.host.cpus, 2);
  EXPECT_EQ(results.host.cgroups, "hybrid");
  EXPECT_EQ(results.host.date, "2026-11-21");
  EXPECT_EQ(results.host.pct, "/usr/bin/pct");
  EXPECT_EQ(results.plan, "the plan");
  EXPECT_TRUE(results.trace.empty());
  const Series* series = find_series(results, "start", "base", "pct");
  ASSERT_NE(series, nullptr);
  EXPECT_EQ(series->unit, "ms");
  EXPECT_THAT(series->samples, ElementsAre(2.5, 3));
  EXPECT_EQ(series_name(*series), "start of pct, variant base");
  EXPECT_EQ(find_series(results, "start", "base", "floor"), nullptr);
}

TEST(Results, TraceIsSortedNamedAndInMilliseconds) {
  const Results results = parse_results(
      trace(R"({"name": "mount", "cat": "host", "ph": "X", "ts": 2000.5, "dur": 500, "pid": 7, "tid": 7},
               {"name": "plan", "cat": "pct", "ph": "X", "ts": 1000.5, "dur": 100, "pid": 5, "tid": 5},
               {"name": "here", "ph": "i", "ts": 1, "pid": 5, "tid": 5},
               {"name": "process_name", "ph": "M", "pid": 5, "args": {"name": "pct start"}})"),
      "run.json");
  ASSERT_EQ(results.trace.size(), 2U);
  EXPECT_EQ(results.trace[0].process, "pct start");
  EXPECT_EQ(results.trace[0].name, "plan");
  EXPECT_DOUBLE_EQ(results.trace[0].begin, 0);
  EXPECT_DOUBLE_EQ(results.trace[0].duration, 0.1);
  EXPECT_EQ(results.trace[1].process, "process 7");
  EXPECT_EQ(results.trace[1].category, "host");
  EXPECT_DOUBLE_EQ(results.trace[1].begin, 1);
}

TEST(Results, ErrorsNameFileAndPlace) {
  EXPECT_THAT(error_of("{\n\"host\": }"), testing::AllOf(HasSubstr("'run.json'"), HasSubstr("line 2")));
  EXPECT_THAT(error_of(""), HasSubstr("cannot read 'run.json' as JSON"));
  EXPECT_EQ(error_of("[]"), "cannot use 'run.json': the file is of type array, not an object");
  EXPECT_EQ(error_of("{}"), "cannot use 'run.json': the file has no \"host\"");
}

struct Mistake {
  const char* series;
  const char* message;
};

class WrongSeries : public testing::TestWithParam<Mistake> {};

TEST_P(WrongSeries, IsNamed) {
  EXPECT_EQ(error_of(file(std::string(kSeries) + "," + GetParam().series)),
            std::string("cannot use 'run.json': ") + GetParam().message);
}

constexpr Mistake kMistakes[] = {
    {R"({"group": "exec"})", R"(series[1] has no "variant")"},
    {R"("exec")", "series[1] is of type string, not an object"},
    {R"({"group": 1})", "series[1].group is of type number, not a string"},
    {R"({"group": "exec", "variant": "", "tool": "pct", "unit": "ms", "leaves_out": "", "samples": 3})",
     "series[1].samples is of type number, not a list"},
    {R"({"group": "exec", "variant": "", "tool": "pct", "unit": "ms", "leaves_out": "", "samples": []})",
     "series[1].samples is empty; a tool that was not measured has no series"},
    {R"({"group": "exec", "variant": "", "tool": "pct", "unit": "ms", "leaves_out": "", "samples": [1, "2"]})",
     "series[1].samples[1] is of type string, not a number"},
    {R"({"group": "exec", "variant": "", "tool": "pct", "unit": "ms", "leaves_out": "", "samples": [1, 0]})",
     "series[1].samples[1] is 0; a measured value is above 0"},
    {R"({"group": "start", "variant": "base", "tool": "pct", "unit": "ms", "leaves_out": "", "samples": [1]})",
     "series[1] is a second series of the same names (start of pct, variant base)"},
    {R"({"group": "start", "variant": "base", "tool": "lxc", "unit": "s", "leaves_out": "", "samples": [1]})",
     "series[1].unit is s, but start of pct, variant base is in ms"},
};
INSTANTIATE_TEST_SUITE_P(Results, WrongSeries, testing::ValuesIn(kMistakes));

TEST(Results, RefusesNumbersThatAreNone) {
  const std::string samples =
      R"({"group": "exec", "variant": "", "tool": "pct", "unit": "ms", "leaves_out": "", "samples": [1e999]})";
  EXPECT_THAT(error_of(file(samples)), HasSubstr("cannot read 'run.json' as JSON"));
}

TEST(Results, RefusesAHostWithoutProcessors) {
  EXPECT_EQ(error_of(R"({"host": {"cpus": 0.5}})"),
            "cannot use 'run.json': host.cpus is no number of processors");
}

TEST(Results, RefusesAStepThatEndsBeforeItBegins) {
  EXPECT_EQ(error_of(trace(R"({"name": "a", "cat": "host", "ph": "X", "ts": 1, "dur": -1, "pid": 1})")),
            "cannot use 'run.json': trace.traceEvents[0].dur is below 0");
}

TEST(Results, AMissingFileIsNamed) {
  EXPECT_THROW(read_results("/nonexistent/run.json"), Error);
}

}  // namespace
}  // namespace hutch::bench
