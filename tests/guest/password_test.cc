#include "guest/password.h"

#include <crypt.h>
#include <gtest/gtest.h>

#include "tests/base/error_of.h"
#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

TEST(Password, WhatIsAHash) {
  for (const auto* hash :
       {"$1$salt$abc/.", "$5$saltsalt$abc", "$6$abcdefgh01234567$xyz", "$6$rounds=5000$salt$xyz",
        "$2a$12$abcdefghij", "$2b$12$abcdefghij", "$y$j9T$abc$def", "$gy$j9T$abc$def", "$7$abc$def"}) {
    EXPECT_TRUE(is_password_hash(hash)) << hash;
  }
  for (const auto* plain :
       {"", "secret", "$6$", "$6$salt", "$6$salt$", "$6$saltsaltsaltsalt1$abc", "$6$sa:lt$abc", "$9$salt$abc",
        "$y$abc$def", "$6$rounds=x$salt$abc", "$6$salt$abc$def", "*", "$"}) {
    EXPECT_FALSE(is_password_hash(plain)) << plain;
  }
}

TEST(Password, HashVerifies) {
  const std::string hash = hash_password("correct horse");
  ASSERT_TRUE(hash.starts_with("$6$"));
  EXPECT_EQ(11U, hash.find('$', 3));
  EXPECT_TRUE(is_password_hash(hash));
  crypt_data data{};
  EXPECT_STREQ(hash.c_str(), ::crypt_r("correct horse", hash.c_str(), &data));
  EXPECT_NE(hash, hash_password("correct horse"));
  EXPECT_EQ(hash_password("").substr(0, 3), "$6$") << "the end of the input is the end of the password";
  EXPECT_EQ(error_of([] { hash_password(std::string(600, 'x')); }),
            "cannot hash the root password: ERANGE (Numerical result out of range)");
}

TEST(Password, GoesIntoShadow) {
  const TemporaryRootfs rootfs;
  Report report;
  rootfs.put("/etc/passwd", "root:old:0:0:root:/root:/bin/sh\nx:x:1:1::/:/bin/sh\n", 0644);
  rootfs.put("/etc/shadow", "root:*:1:0:99999:7:::\nx:*:1::::::\n", 0640);
  write_root_password(rootfs.root(), "$6$a$b", 20000, report);
  EXPECT_EQ("root:x:0:0:root:/root:/bin/sh\nx:x:1:1::/:/bin/sh\n", rootfs.get("/etc/passwd"));
  EXPECT_EQ("root:$6$a$b:20000:0:99999:7:::\nx:*:1::::::\n", rootfs.get("/etc/shadow"));
  EXPECT_EQ(0640U, rootfs.mode("/etc/shadow"));
  EXPECT_TRUE(report.warnings.empty());
}

TEST(Password, WithoutShadowIntoPasswd) {
  const TemporaryRootfs rootfs;
  Report report;
  rootfs.put("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  set_root_password(rootfs.root(), "", report);
  EXPECT_EQ("root:*:0:0:root:/root:/bin/sh\n", rootfs.get("/etc/passwd"));
  set_root_password(rootfs.root(), "$y$j9T$abc$def", report);
  EXPECT_EQ("root:$y$j9T$abc$def:0:0:root:/root:/bin/sh\n", rootfs.get("/etc/passwd"));
  EXPECT_FALSE(rootfs.exists("/etc/shadow"));
}

TEST(Password, WithoutRootItWarnsAndChangesNothing) {
  const TemporaryRootfs rootfs;
  Report report;
  write_root_password(rootfs.root(), "x", 1, report);
  rootfs.put("/etc/passwd", "x:x:1:1::/:/bin/sh\n");
  write_root_password(rootfs.root(), "x", 1, report);
  rootfs.put("/etc/passwd", "root:y:0:0::/:/bin/sh\n");
  rootfs.put("/etc/shadow", "");
  write_root_password(rootfs.root(), "x", 1, report);
  EXPECT_EQ("root:y:0:0::/:/bin/sh\n", rootfs.get("/etc/passwd"));
  EXPECT_EQ(3U, report.warnings.size());
}

}  // namespace
}  // namespace hutch::guest
