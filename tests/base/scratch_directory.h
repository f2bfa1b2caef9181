#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "tests/base/error_of.h"

namespace hutch {

// A directory below /tmp that the test fills and that is gone afterwards.
class ScratchDirectory : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hutch-test.XXXXXX";
    ASSERT_NE(nullptr, ::mkdtemp(name));
    path_ = name;
    fd_ = open_file(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY);
  }
  void TearDown() override {
    if (!path_.empty()) remove_tree(AT_FDCWD, path_);
  }

  std::string below(const std::string& name) const { return path_ + "/" + name; }
  int fd() const { return fd_.get(); }
  void write(const std::string& name, std::string_view content) {
    const UniqueFd file = open_file(fd(), name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    write_fd(file.get(), content, name);
  }
  void symlink(const std::string& target, const std::string& name) {
    check(::symlinkat(target.c_str(), fd(), name.c_str()), "cannot make a symlink");
  }

  std::string path_;
  UniqueFd fd_;
};

}  // namespace hutch
