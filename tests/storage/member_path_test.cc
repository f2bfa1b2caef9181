#include "storage/member_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "storage/byte_queue.h"
#include "storage/helper_protocol.h"
#include "storage/id_coverage.h"
#include "tests/storage/scratch.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(MemberPath, IsNormalised) {
  EXPECT_EQ(member_path("./a/b"), "a/b");
  EXPECT_EQ(member_path("a//b/./c/"), "a/b/c");
  EXPECT_EQ(member_path("./"), "");
  EXPECT_EQ(member_path("..a/b.."), "..a/b..");
}

TEST(MemberPath, RefusesWaysOut) {
  EXPECT_THAT(error_of([] { member_path("/etc/passwd"); }), StartsWith("member '/etc/passwd' is refused"));
  EXPECT_THAT(error_of([] { member_path("a/../../b"); }), HasSubstr("contains '..'"));
  EXPECT_THROW(member_path(".."), Error);
}

TEST(MemberPath, Parts) {
  EXPECT_EQ(parent_of("a/b/c"), "a/b");
  EXPECT_EQ(parent_of("a"), "");
  EXPECT_EQ(name_of("a/b/c"), "c");
  EXPECT_EQ(name_of("a"), "a");
  EXPECT_TRUE(is_below_dev("dev/null"));
  EXPECT_FALSE(is_below_dev("dev"));
  EXPECT_FALSE(is_below_dev("usr/dev/null"));
}

TEST(MemberPath, PrintableIsOneHarmlessLine) {
  EXPECT_EQ(printable("a\nb\x1b[1m'\\"), "a\\012b\\033[1m\\047\\134");
  EXPECT_EQ(printable("F\xc5\x91"), "F\xc5\x91");
}

TEST(IdCoverage, NamesTheIdThatIsNotMapped) {
  const IdCoverage ids("0 100000 1000\n5000 1 1\n", "0 100000 65536\n");
  ids.require_uid(999, "a");
  ids.require_uid(5000, "a");
  ids.require_gid(65535, "a");
  EXPECT_THAT(error_of([&] { ids.require_uid(1000, "srv/x"); }),
              StartsWith("uid 1000 of 'srv/x' is not mapped: EINVAL"));
  EXPECT_THAT(error_of([&] { ids.require_gid(65536, "x"); }), StartsWith("gid 65536"));
  EXPECT_THROW(ids.require_uid(-1, "x"), Error);
  EXPECT_THROW(IdCoverage("0 0 4294967295\n", "").require_uid(4294967295, "x"), Error);
}

TEST(HelperProtocol, LinesComeBack) {
  EXPECT_EQ(parse_helper_line("progress 1 2 3").progress, (HelperProgress{1, 2, 3}));
  EXPECT_EQ(progress_line({1, 2, 3}), "progress 1 2 3\n");
  EXPECT_EQ(parse_helper_line("warning a b").warning, "a b");
  EXPECT_EQ(warning_line("a\nb"), "warning a b\n");
  const std::string line = failure_line(Error("cannot write 'x y'", ENOSPC, "make room"));
  const auto failure = parse_helper_line(line.substr(0, line.size() - 1)).failure;
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->action(), "cannot write 'x y'");
  EXPECT_EQ(failure->error_number(), ENOSPC);
  EXPECT_EQ(failure->hint(), "make room");
  for (const char* junk : {"", "progress", "progress 1", "failure x", "other 1"}) {
    const auto event = parse_helper_line(junk);
    EXPECT_FALSE(event.progress || event.warning || event.failure) << junk;
  }
}

TEST(ByteQueue, ACancelledProducerStops) {
  ByteQueue queue;
  while (true) {
    const auto buffer = queue.acquire();
    ASSERT_FALSE(buffer.empty());
    queue.commit(buffer.size());
    if (queue.next().empty()) FAIL();
    queue.cancel();
    if (queue.acquire().empty()) break;
  }
}

}  // namespace
}  // namespace hutch
