#include "runtime/rlimit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

TEST(Rlimit, EveryResourceHasItsOwnName) {
  std::set<int> seen;
  for (const char* name : {"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice",
                           "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"}) {
    const auto resource = rlimit_resource(name);
    ASSERT_TRUE(resource) << name;
    seen.insert(*resource);
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(RLIM_NLIMITS));
  EXPECT_EQ(rlimit_resource("nofile"), RLIMIT_NOFILE);
  for (const char* word : {"", "NOFILE", "rlimit_nofile", "files"})
    EXPECT_EQ(rlimit_resource(word), std::nullopt);
}

TEST(Rlimit, StandsInTheStateRecord) {
  const Rlimit limit = parse_rlimit(print_rlimit(resolve_rlimit({"nofile", 1024, std::nullopt, {}})));
  EXPECT_EQ(limit.resource, RLIMIT_NOFILE);
  EXPECT_EQ(limit.limit.rlim_cur, 1024U);
  EXPECT_EQ(limit.limit.rlim_max, RLIM_INFINITY);
  for (const char* text : {"", "7 1", "7 1 x", "7 1 2 3", "16 1 1"}) {
    EXPECT_THROW(parse_rlimit(text), Error) << text;
  }
}

TEST(Rlimit, Values) {
  const Rlimit both = resolve_rlimit({"nofile", 1024, 4096, {}});
  EXPECT_EQ(both.resource, RLIMIT_NOFILE);
  EXPECT_EQ(both.limit.rlim_cur, 1024U);
  EXPECT_EQ(both.limit.rlim_max, 4096U);
  const Rlimit none = resolve_rlimit({"core", std::nullopt, std::nullopt, {}});
  EXPECT_EQ(none.limit.rlim_cur, RLIM_INFINITY);
  EXPECT_EQ(none.limit.rlim_max, RLIM_INFINITY);
  EXPECT_NO_THROW(resolve_rlimit({"cpu", 5, 5, {}}));
  EXPECT_NO_THROW(resolve_rlimit({"cpu", 5, std::nullopt, {}}));
}

TEST(Rlimit, BadOnesThrowWithTheirLine) {
  const Origin origin{"100.conf", 9};
  const struct {
    RlimitSpec spec;
    const char* message;
  } cases[] = {{{"files", 1, 1, origin}, "unknown resource limit 'files'"},
               {{"nofile", 2, 1, origin}, "above its hard limit"},
               {{"nofile", std::nullopt, 1, origin}, "above its hard limit"}};
  for (const auto& c : cases) {
    try {
      resolve_rlimit(c.spec);
      ADD_FAILURE() << c.message;
    } catch (const Error& error) {
      EXPECT_EQ(error.origin(), origin);
      EXPECT_THAT(error.what(), HasSubstr(c.message));
    }
  }
}

}  // namespace
}  // namespace hutch
