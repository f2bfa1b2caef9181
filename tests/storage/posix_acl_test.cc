#include "storage/posix_acl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hutch {
namespace {

// linux/posix_acl_xattr.h: le32 version 2, then {le16 tag, le16 perm, le32 id}.
TEST(PosixAcl, EncodesTheKernelsForm) {
  const std::string value = encode_acl({{0x20, 4}, {0x02, 7, 0x01020304}, {0x01, 6}});
  const std::string expected(
      "\2\0\0\0"
      "\1\0\6\0\xff\xff\xff\xff"
      "\2\0\7\0\4\3\2\1"
      "\x20\0\4\0\xff\xff\xff\xff",
      28);
  EXPECT_EQ(value, expected);
}

TEST(PosixAcl, NamesWithoutNumbersAreLeftOut) {
  struct archive_entry* entry = ::archive_entry_new();
  ::archive_entry_acl_add_entry(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 7, ARCHIVE_ENTRY_ACL_USER, -1, "alice");
  Member member;
  member.path = "x";
  std::vector<std::string> warnings;
  add_acls(entry, member, [&](const std::string& text) { warnings.push_back(text); });
  ::archive_entry_free(entry);
  EXPECT_TRUE(member.xattrs.empty());
  EXPECT_THAT(warnings, ::testing::ElementsAre(::testing::HasSubstr("the ACL of 'x'")));
}

}  // namespace
}  // namespace hutch
