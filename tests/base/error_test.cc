#include "base/error.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

namespace hutch {
namespace {

TEST(Error, TextHasEveryPartInOrder) {
  EXPECT_STREQ("cannot do it", Error("cannot do it").what());
  EXPECT_STREQ("cannot do it: EACCES (Permission denied) [100.conf:4]; run as root",
               Error("cannot do it", EACCES, "run as root", {"100.conf", 4}).what());
  EXPECT_STREQ("cannot do it [--memory]", Error("cannot do it", 0, "", {"--memory", 0}).what());
}

TEST(Error, InnermostPartsAreKept) {
  const Error bare("cannot do it", ENOENT);
  EXPECT_STREQ("cannot do it: ENOENT (No such file or directory) [a:1]; look",
               bare.with_origin({"a", 1}).with_hint("look").what());
  const Error full("cannot do it", 0, "first", {"a", 1});
  EXPECT_EQ("first", full.with_hint("second").hint());
  EXPECT_EQ("a:1", full.with_origin({"b", 2}).origin().text());
  const Error outer = full.with_context("cannot start");
  EXPECT_STREQ("cannot start: cannot do it [a:1]; first", outer.what());
  EXPECT_EQ(ENOENT, bare.with_context("x").error_number());
}

TEST(ErrnoText, NamesAndNumbers) {
  EXPECT_EQ("EPERM (Operation not permitted)", errno_text(EPERM));
  EXPECT_EQ("EAGAIN (Resource temporarily unavailable)", errno_text(EWOULDBLOCK));
  EXPECT_EQ("errno 4711", errno_text(4711));
}

TEST(ThrowErrno, KeepsTheErrno) {
  errno = EXDEV;
  try {
    throw_errno("cannot move", "copy instead");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(EXDEV, error.error_number());
    EXPECT_EQ("copy instead", error.hint());
  }
}

TEST(Check, PassesResultsAndThrowsOnNegativeOnes) {
  EXPECT_EQ(3, check(3, "cannot"));
  EXPECT_EQ(0, check(0L, "cannot"));
  try {
    check(::close(-1), "cannot close");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ("cannot close: EBADF (Bad file descriptor)", error.what());
  }
}

TEST(Origin, Text) {
  EXPECT_EQ("", Origin().text());
  EXPECT_TRUE(Origin().empty());
  EXPECT_EQ("100.conf:12", (Origin{"100.conf", 12}.text()));
  EXPECT_EQ("default", (Origin{"default", 0}.text()));
}

}  // namespace
}  // namespace hutch
