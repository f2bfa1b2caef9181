#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"

namespace hutch {

// Tests that make user namespaces, files of other owners, device nodes and mounts.
class NeedsRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "probe: not root";
    if (!path_exists(AT_FDCWD, "/proc/self/ns/user"))
      GTEST_SKIP() << "probe: this kernel has no user namespaces";
  }
};

}  // namespace hutch
