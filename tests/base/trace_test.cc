#include "base/trace.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <stdexcept>

namespace hutch {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
// CLOCK_MONOTONIC is nowhere near zero where spans come from.
constexpr std::int64_t kStart = 1000 * kMillisecond;

TEST(Trace, SwitchedOffCollectsNothing) {
  Trace trace(TraceLane::host, false);
  EXPECT_FALSE(trace.on());
  {
    const auto literal = trace.span("work");
    const auto text = trace.span(std::string("more work"));
  }
  EXPECT_TRUE(trace.spans().empty());
}

TEST(Trace, AScopeAddsItsSpanWhenItEnds) {
  for (const auto lane : {TraceLane::command, TraceLane::host, TraceLane::side, TraceLane::child}) {
    Trace trace(lane, true);
    EXPECT_TRUE(trace.on());
    const std::int64_t before = trace_clock();
    {
      const auto span = trace.span("work");
      EXPECT_TRUE(trace.spans().empty());
      ::usleep(1000);
    }
    const std::int64_t after = trace_clock();
    ASSERT_EQ(trace.spans().size(), 1U);
    const TraceSpan& span = trace.spans().front();
    EXPECT_EQ(span.name, "work");
    EXPECT_EQ(span.lane, lane);
    EXPECT_EQ(span.process, ::getpid());
    EXPECT_EQ(span.thread, ::gettid());
    EXPECT_GE(span.begin, before);
    EXPECT_GE(span.end - span.begin, kMillisecond);
    EXPECT_LE(span.end, after);
  }
}

TEST(Trace, AScopeAddsItsSpanWhenAnExceptionPasses) {
  Trace trace(TraceLane::host, true);
  try {
    const auto span = trace.span(std::string("fails"));
    throw std::runtime_error("work");
  } catch (const std::runtime_error&) {
  }
  ASSERT_EQ(trace.spans().size(), 1U);
  EXPECT_EQ(trace.spans().front().name, "fails");
  EXPECT_GE(trace.spans().front().end, trace.spans().front().begin);
}

TEST(Trace, AnInnerScopeEndsBeforeTheOuterOne) {
  Trace trace(TraceLane::command, true);
  {
    const auto outer = trace.span("outer");
    const auto inner = trace.span("inner");
  }
  ASSERT_EQ(trace.spans().size(), 2U);
  EXPECT_EQ(trace.spans()[0].name, "inner");
  EXPECT_EQ(trace.spans()[1].name, "outer");
  EXPECT_LE(trace.spans()[1].begin, trace.spans()[0].begin);
  EXPECT_LE(trace.spans()[0].end, trace.spans()[1].end);
}

TEST(Trace, AnAddedSpanStaysAsItIs) {
  Trace trace(TraceLane::command, true);
  const TraceSpan span{"exec", TraceLane::child, 17, 17, 5, 9};
  trace.add(span);
  EXPECT_EQ(trace.spans(), std::vector<TraceSpan>{span});
}

TEST(Waterfall, OfNothingIsEmpty) {
  EXPECT_EQ(print_waterfall({}), "");
}

TEST(Waterfall, OrdersSpansByTheirBeginningOnOneAxis) {
  const std::vector<TraceSpan> spans = {
      {"become root", TraceLane::child, 2, 2, kStart + 5 * kMillisecond, kStart + 8 * kMillisecond},
      {"read", TraceLane::command, 1, 1, kStart, kStart + 2 * kMillisecond},
      {"mount", TraceLane::host, 1, 1, kStart + 2 * kMillisecond, kStart + 5'500'000},
      {"link", TraceLane::side, 1, 1, kStart + 7 * kMillisecond, kStart + 8 * kMillisecond},
  };
  EXPECT_EQ(print_waterfall(spans, 8),
            "   at ms  took ms          \n"
            "   0.000    2.000  ##        pct   read\n"
            "   2.000    3.500    ###     host  mount\n"
            "   5.000    3.000       ===  child become root\n"
            "   7.000    1.000         #  side  link\n");
}

TEST(Waterfall, SpansThatBeginTogetherKeepTheirOrder) {
  const std::vector<TraceSpan> spans = {
      {"b", TraceLane::host, 1, 1, kStart, kStart + kMillisecond},
      {"a", TraceLane::host, 1, 1, kStart, kStart + 2 * kMillisecond},
      {"c", TraceLane::host, 1, 1, kStart, kStart},
  };
  EXPECT_EQ(print_waterfall(spans, 4),
            "   at ms  took ms      \n"
            "   0.000    1.000  ##    host  b\n"
            "   0.000    2.000  ####  host  a\n"
            "   0.000    0.000  #     host  c\n");
}

TEST(Waterfall, ASpanOfNoLengthIsStillSeen) {
  EXPECT_EQ(print_waterfall({{"alone", TraceLane::command, 1, 1, kStart, kStart}}, 4),
            "   at ms  took ms      \n"
            "   0.000    0.000  #     pct   alone\n");
  const std::vector<TraceSpan> spans = {
      {"all", TraceLane::host, 1, 1, kStart, kStart + 4 * kMillisecond},
      {"end", TraceLane::child, 2, 2, kStart + 4 * kMillisecond, kStart + 4 * kMillisecond},
  };
  EXPECT_EQ(print_waterfall(spans, 4),
            "   at ms  took ms      \n"
            "   0.000    4.000  ####  host  all\n"
            "   4.000    0.000     =  child end\n");
}

}  // namespace
}  // namespace hutch
