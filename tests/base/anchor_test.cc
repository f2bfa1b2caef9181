#include "base/anchor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "base/files.h"
#include "tests/base/scratch_directory.h"

namespace hutch {
namespace {

using ::testing::HasSubstr;

// The anchor's directory has another name by the time it is used: who finds something under the old one has
// walked from the anchor.
class AnchorTest : public ScratchDirectory {
 protected:
  void SetUp() override {
    ScratchDirectory::SetUp();
    write("elsewhere", "1");
    old_ = below("old");
    make_directories(old_ + "/inner");
    write("old/inner/file", "2");
    anchor_.emplace(old_);
    std::filesystem::rename(old_, below("new"));
  }

  std::string old_;
  std::optional<Anchor> anchor_;
};

TEST_F(AnchorTest, WalksWhatIsBelowFromThere) {
  EXPECT_EQ(anchor_->read(old_ + "/inner/file"), "2");
  EXPECT_TRUE(anchor_->exists(old_ + "/inner"));
  EXPECT_FALSE(anchor_->exists(old_ + "/none/x"));
  anchor_->write(old_ + "/inner/file", "3");
  EXPECT_EQ(read_file(AT_FDCWD, below("new/inner/file")), "3");
  EXPECT_TRUE(anchor_->make_directory(old_ + "/made", 0755));
  EXPECT_TRUE(path_exists(AT_FDCWD, below("new/made")));
  EXPECT_EQ(FD_CLOEXEC, ::fcntl(anchor_->open(old_ + "/inner/file", O_RDONLY).get(), F_GETFD));
}

TEST_F(AnchorTest, WalksEverythingElseAsUsual) {
  EXPECT_EQ(anchor_->read(below("elsewhere")), "1");
  std::filesystem::create_directory(below("older"));
  EXPECT_TRUE(anchor_->exists(below("older")));
  EXPECT_FALSE(anchor_->exists(old_));
  EXPECT_FALSE(anchor_->exists(old_ + "/"));
  // Below the anchor "/etc" would be the host's.
  EXPECT_FALSE(anchor_->exists(old_ + "//etc"));
  EXPECT_TRUE(Anchor("/").exists("/etc"));
}

TEST_F(AnchorTest, ErrorsNameTheWholePath) {
  EXPECT_THAT(error_of([&] { anchor_->read(old_ + "/none"); }),
              HasSubstr("cannot open '" + old_ + "/none': ENOENT"));
  EXPECT_THAT(error_of([&] { anchor_->write(old_ + "/inner", "x"); }),
              HasSubstr("cannot write '" + old_ + "/inner': EISDIR"));
  EXPECT_FALSE(anchor_->make_directory(old_ + "/inner", 0755));
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(ENOTDIR, errno_of([&] { Anchor(below("elsewhere")); }));
  EXPECT_EQ(ENOENT, errno_of([&] { Anchor(below("none")); }));
}

}  // namespace
}  // namespace hutch
