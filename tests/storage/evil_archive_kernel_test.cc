// Archives that try to get out of the rootfs, or to be taken for something that they are not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/needs_root.h"
#include "tests/storage/unpacked.h"

namespace hutch {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

struct Evil {
  const char* name;
  TarMaker archive;
  const char* message;
};

class EvilArchive : public NeedsRoot, public ::testing::WithParamInterface<bool> {};

TEST_P(EvilArchive, IsRefusedAndChangesNothingOutside) {
  const Evil cases[] = {
      {"absolute", TarMaker().file("/tmp/hutch-evil", "x"), "absolute"},
      {"climbing", TarMaker().file("../outside.txt", "x"), "'..'"},
      {"climbing within", TarMaker().directory("a/").file("a/../../outside.txt", "x"), "'..'"},
      {"through a symlink", TarMaker().symlink("out", "..").file("out/outside.txt", "x"),
       "the symlink 'out'"},
      {"through an absolute symlink", TarMaker().symlink("out", "/tmp").file("out/hutch-evil", "x"),
       "the symlink 'out'"},
      {"through an inner symlink", TarMaker().directory("a/").symlink("b", "a").file("b/c/d", "x"),
       "the symlink 'b'"},
      {"directory through a symlink", TarMaker().symlink("a", "..").directory("a/b/"), "the symlink 'a'"},
      {"hard link out", TarMaker().hard_link("x", "../outside.txt"), "'..'"},
      {"absolute hard link", TarMaker().hard_link("x", "/etc/passwd"), "absolute"},
      {"hard link through a symlink", TarMaker().symlink("s", "..").hard_link("x", "s/outside.txt"),
       "the symlink 's'"},
      {"hard link to nothing", TarMaker().hard_link("x", "y"), "does not hold"},
      {"below a file", TarMaker().file("f", "x").file("f/g", "y"), "the non-directory 'f'"},
      {"pax name", TarMaker().pax("path", "/tmp/hutch-evil").file("x", "x"), "absolute"},
      {"pax link", TarMaker().pax("linkpath", "../outside.txt").hard_link("x", "y"), "'..'"},
  };
  for (const auto& evil : cases) {
    Unpacked unpacked(GetParam());
    EXPECT_THAT(unpacked.extract(evil.archive), HasSubstr(evil.message)) << evil.name;
    EXPECT_EQ(read_file(AT_FDCWD, unpacked.scratch / "outside.txt"), "untouched") << evil.name;
    EXPECT_FALSE(path_exists(AT_FDCWD, "/tmp/hutch-evil")) << evil.name;
  }
}

TEST_P(EvilArchive, LinksToSymlinksStaySymlinks) {
  Unpacked unpacked(GetParam());
  EXPECT_EQ(unpacked.extract(
                TarMaker().symlink("s", "../outside.txt").hard_link("h", "s").file("h", "overwritten")),
            "");
  EXPECT_TRUE(S_ISLNK(unpacked.status("h").st_mode));
  EXPECT_EQ(read_file(AT_FDCWD, unpacked.scratch / "outside.txt"), "untouched");
}

TEST_P(EvilArchive, ExistingNamesAreSkipped) {
  Unpacked unpacked(GetParam());
  EXPECT_EQ(unpacked.extract(TarMaker()
                                 .file("f", "first")
                                 .file("f", "second")
                                 .directory("d/")
                                 .file("d", "no directory")
                                 .symlink("f", "d")
                                 .directory("f/")
                                 .symlink("s", "nowhere")
                                 .file("s", "through")),
            "");
  EXPECT_EQ(unpacked.text("f"), "first");
  EXPECT_TRUE(S_ISDIR(unpacked.status("d").st_mode));
  EXPECT_FALSE(unpacked.has("nowhere"));
}

TEST_P(EvilArchive, DamagedArchivesAreRefused) {
  const std::string good = TarMaker().file("a", std::string(5000, 'x')).file("b", "y").stream();
  const std::string packed = gzip(good);
  std::string flipped = packed;
  flipped[packed.size() - 6] = static_cast<char>(flipped[packed.size() - 6] ^ 1);  // the checksum
  const std::pair<std::string, const char*> cases[] = {
      {"", "empty"},
      {"just some text\n", "not a tar archive"},
      {std::string(4096, '\0'), "no members"},
      {good.substr(0, 3000), "truncated"},
      {TarMaker().file("a", "x").open_stream(), "truncated"},
      {packed.substr(0, packed.size() / 2), "truncated"},
      {flipped, "damaged"},
      {gzip("no tar inside"), "not a tar archive"},
  };
  for (const auto& [bytes, message] : cases) {
    Unpacked unpacked(GetParam());
    EXPECT_THAT(unpacked.extract(bytes, ".tar.gz"), HasSubstr(message));
  }
}

TEST_P(EvilArchive, HugeClaimsDoNotFillAnything) {
  Unpacked unpacked(GetParam());
  EXPECT_THAT(unpacked.extract(TarMaker().add({.name = "huge", .contents = "x", .claimed_size = 8ULL << 30})),
              HasSubstr("truncated"));
  EXPECT_LT(unpacked.status("huge").st_blocks, 100);
}

INSTANTIATE_TEST_SUITE_P(Privileged, EvilArchive, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Shifted, EvilArchive, ::testing::Values(true));

}  // namespace
}  // namespace hutch
