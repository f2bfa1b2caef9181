#include "cli/trace_output.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/base/error_of.h"
#include "tests/cli/command_line.h"

namespace hutch::cli {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

json event(const char* name, const char* category, double begin, double length, int process, int thread) {
  return {{"name", name},  {"cat", category}, {"ph", "X"},    {"ts", begin},
          {"dur", length}, {"pid", process},  {"tid", thread}};
}

json name_of(const char* what, int process, int thread, const char* name) {
  return {{"name", what}, {"ph", "M"}, {"pid", process}, {"tid", thread}, {"args", {{"name", name}}}};
}

TEST(ChromeTrace, OfNothingHasNoEvents) {
  EXPECT_EQ(json::parse(chrome_trace({})), json({{"displayTimeUnit", "ms"}, {"traceEvents", json::array()}}));
}

TEST(ChromeTrace, NamesEveryProcessAndThreadOnceAndCountsInMicroseconds) {
  const json trace =
      json::parse(chrome_trace({{"read", TraceLane::command, 10, 10, 1'000'000, 1'002'500},
                                {"mount", TraceLane::host, 10, 10, 1'002'500, 1'002'501},
                                {"link", TraceLane::side, 10, 11, 1'003'000, 1'003'000},
                                {"become root", TraceLane::child, 20, 20, 1'004'000, 3'004'000},
                                {"exec", TraceLane::child, 20, 20, 3'004'000, 3'005'000}}));
  EXPECT_EQ(trace,
            json({{"displayTimeUnit", "ms"},
                  {"traceEvents",
                   {name_of("process_name", 10, 10, "pct start"), name_of("thread_name", 10, 10, "main lane"),
                    event("read", "pct", 1000, 2.5, 10, 10), event("mount", "host", 1002.5, 0.001, 10, 10),
                    name_of("thread_name", 10, 11, "side lane"), event("link", "side", 1003, 0, 10, 11),
                    name_of("process_name", 20, 20, "container's first process"),
                    name_of("thread_name", 20, 20, "init"), event("become root", "child", 1004, 2000, 20, 20),
                    event("exec", "child", 3004, 1, 20, 20)}}}));
}

TEST(ChromeTrace, NamesAreKeptAsTheyAre) {
  const std::string name = "mount \"a\\b\"\n\x01 é";
  const json trace = json::parse(chrome_trace({{name, TraceLane::host, 1, 1, 0, 1}}));
  EXPECT_EQ(trace["traceEvents"][2]["name"], name);
}

TEST(ChromeTrace, BytesThatAreNoUtf8AreReplaced) {
  const json trace = json::parse(chrome_trace({{"mount /a\xff/b", TraceLane::host, 1, 1, 0, 1}}));
  EXPECT_EQ(trace["traceEvents"][2]["name"], "mount /a\xef\xbf\xbd/b");
}

TEST(WriteChromeTrace, ReplacesWhatIsThere) {
  const testing::TemporaryHost host;
  host.write("trace.json", std::string(100'000, 'x'));
  const std::vector<TraceSpan> spans = {{"read", TraceLane::command, 10, 10, 0, 1000}};
  write_chrome_trace(host.path("trace.json"), spans);
  EXPECT_EQ(host.read("trace.json"), chrome_trace(spans));
  write_chrome_trace(host.path("new.json"), {});
  EXPECT_EQ(host.read("new.json"), chrome_trace({}));
}

TEST(WriteChromeTrace, AFailureNamesThePath) {
  const testing::TemporaryHost host;
  const std::string path = host.path("missing/trace.json");
  EXPECT_EQ(errno_of([&] { write_chrome_trace(path, {}); }), ENOENT);
  EXPECT_THAT(error_of([&] { write_chrome_trace(path, {}); }), AllOf(HasSubstr(path), HasSubstr("ENOENT")));
  EXPECT_EQ(errno_of([&] { write_chrome_trace(host.root(), {}); }), EISDIR);
  EXPECT_THAT(error_of([] { write_chrome_trace("/dev/full", {}); }),
              AllOf(HasSubstr("/dev/full"), HasSubstr("ENOSPC")));
}

}  // namespace
}  // namespace hutch::cli
