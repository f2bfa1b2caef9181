#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <stdexcept>

#include "base/process.h"
#include "tests/storage/needs_root.h"
#include "tests/storage/unpacked.h"

namespace hutch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Extract : public NeedsRoot {};

TEST_F(Extract, ShiftsIdsAndKeepsModesAndTimes) {
  Unpacked unpacked(true);
  ASSERT_EQ(
      unpacked.extract(TarMaker()
                           .directory("./")
                           .add({.name = "./var/", .type = '5', .mode = 02775, .uid = 5, .gid = 6})
                           .add({.name = "./var/su", .contents = "x", .mode = 04755})
                           .add({.name = "./var/f", .contents = "x", .mode = 0600, .uid = 33, .gid = 65535})
                           .directory("./etc/")
                           .add({.name = "./etc/ro", .contents = "x", .mode = 0444})
                           .add({.name = "./etc/l", .type = '2', .link = "/x", .uid = 7, .gid = 8})),
      "");
  const auto var = unpacked.status("var");
  EXPECT_EQ(var.st_mode, S_IFDIR | 02775U);
  EXPECT_EQ(var.st_uid, 100005U);
  EXPECT_EQ(var.st_gid, 100006U);
  EXPECT_EQ(var.st_mtim.tv_sec, 1000000000);
  EXPECT_EQ(unpacked.status("var/su").st_mode, S_IFREG | 04755U);
  EXPECT_EQ(unpacked.status("var/su").st_gid, 100000U) << "not the set-gid directory's";
  EXPECT_EQ(unpacked.status("var/f").st_uid, 100033U);
  EXPECT_EQ(unpacked.status("var/f").st_gid, 165535U);
  EXPECT_EQ(unpacked.status("etc/ro").st_mode, S_IFREG | 0444U);
  EXPECT_EQ(unpacked.status("etc/ro").st_uid, 100000U);
  EXPECT_EQ(unpacked.status("etc/ro").st_mtim.tv_sec, 1000000000);
  EXPECT_EQ(unpacked.status("etc/l").st_uid, 100007U);
  EXPECT_EQ(unpacked.totals.members, 6U);
  EXPECT_EQ(unpacked.last_done, unpacked.last_total);
}

TEST_F(Extract, NamesAnIdThatIsNotMapped) {
  Unpacked unpacked(true);
  EXPECT_THAT(unpacked.extract(TarMaker().add({.name = "f", .contents = "x", .uid = 70000})),
              HasSubstr("uid 70000 of 'f' is not mapped: EINVAL"));
  EXPECT_FALSE(unpacked.has("f"));
}

TEST_F(Extract, LeavesOutDev) {
  Unpacked unpacked(true);
  ASSERT_EQ(unpacked.extract(TarMaker()
                                 .directory("./dev/")
                                 .add({.name = "./dev/null", .type = '3', .major = 1, .minor = 3})
                                 .hard_link("./dev/link", "./dev/null")
                                 .directory("./srv/")
                                 .add({.name = "./srv/null", .type = '3', .major = 1, .minor = 3})
                                 .hard_link("./srv/again", "./srv/null")
                                 .add({.name = "./srv/fifo", .type = '6', .uid = 1})),
            "");
  EXPECT_TRUE(unpacked.has("dev"));
  EXPECT_FALSE(unpacked.has("dev/null"));
  EXPECT_FALSE(unpacked.has("srv/null"));
  EXPECT_TRUE(S_ISFIFO(unpacked.status("srv/fifo").st_mode));
  EXPECT_EQ(unpacked.status("srv/fifo").st_uid, 100001U);
  EXPECT_THAT(unpacked.warnings, ElementsAre(HasSubstr("device node 'srv/null'"), HasSubstr("'srv/again'")));
}

TEST_F(Extract, MakesDeviceNodesForPrivilegedContainers) {
  Unpacked unpacked;
  ASSERT_EQ(
      unpacked.extract(TarMaker().add({.name = "null", .type = '3', .mode = 0666, .major = 1, .minor = 3})),
      "");
  EXPECT_EQ(unpacked.status("null").st_rdev, ::makedev(1, 3));
  EXPECT_EQ(unpacked.status("null").st_mode, S_IFCHR | 0666U);
}

TEST_F(Extract, KeepsNamesByteByByte) {
  Unpacked unpacked(true);
  const std::string decomposed = "e\xcc\x81";  // NFD, which must not become NFC
  ASSERT_EQ(unpacked.extract(TarMaker().pax("path", "./" + decomposed).file("x", "1").file("\xff\xfe", "2")),
            "");
  EXPECT_EQ(unpacked.text(decomposed), "1");
  EXPECT_EQ(unpacked.text("\xff\xfe"), "2");
  EXPECT_THAT(unpacked.warnings, IsEmpty());
}

TEST_F(Extract, MakesMissingDirectoriesAndCompletesThemLater) {
  Unpacked unpacked(true);
  ASSERT_EQ(unpacked.extract(
                TarMaker().file("a/b/c", "x").add({.name = "a/b/", .type = '5', .mode = 0700, .uid = 3})),
            "");
  EXPECT_EQ(unpacked.status("a").st_mode, S_IFDIR | 0755U);
  EXPECT_EQ(unpacked.status("a/b").st_mode, S_IFDIR | 0700U);
  EXPECT_EQ(unpacked.status("a/b").st_uid, 100003U);
}

// The ACLs use numbers without a name on the host, for which alone GNU tar writes numbers.
// Everything GNU tar can say about a tree: made by tar with the common flags, compared through the host's
// tools.
TEST_F(Extract, KeepsLinksHolesAttributesAclsAndCapabilities) {
  Unpacked unpacked(true);
  const std::string tree = unpacked.scratch / "tree";
  const auto shell = [&](const std::string& script) {
    return run_checked({"sh", "-ec", "cd " + tree + "; " + script}).out;
  };
  make_directories(tree);
  try {
    shell("setfattr -n user.probe -v 1 . && setfacl -m u:7:r .");
  } catch (const Error& error) {
    GTEST_SKIP() << "probe: no xattrs, ACLs or their tools on /tmp: " << error.what();
  }
  shell(
      "setfacl -b .; mkdir d; echo a > d/a; ln d/a d/b; ln -s a d/s; truncate -s 64M d/holes;"
      "printf x | dd of=d/holes bs=1 seek=33554432 conv=notrunc 2>/dev/null; setfattr -n user.hutch -v value "
      "d/a;"
      "cp /bin/true d/cap; setcap cap_net_raw+ep d/cap; setfacl -m u:54711:rw,g:54712:r d/a;"
      "setfacl -d -m u:54711:rwx d; chmod 640 d/a; mkfifo d/p");
  for (const auto& [suffix, program] : {std::pair<std::string, std::string>{".tar", "cat"},
                                        {".tar.gz", "gzip -c"},
                                        {".tar.xz", "xz -c"},
                                        {".tar.zst", "zstd -qc"},
                                        {".tar.bz2", "bzip2 -c"}}) {
    Unpacked target(true);
    const std::string bytes = shell(
        "tar --sparse --numeric-owner --acls --xattrs --xattrs-include='user.*' "
        "--xattrs-include=security.capability -c . | " +
        program);
    ASSERT_EQ(target.extract(bytes, suffix), "") << suffix;
    EXPECT_THAT(target.warnings, IsEmpty());
    EXPECT_EQ(target.status("d/a").st_ino, target.status("d/b").st_ino);
    EXPECT_EQ(target.status("d/a").st_nlink, 2U);
    EXPECT_TRUE(S_ISLNK(target.status("d/s").st_mode));
    EXPECT_EQ(target.status("d/holes").st_size, 64 << 20);
    EXPECT_LT(target.status("d/holes").st_blocks, 1024);
    EXPECT_EQ(run_checked({"cmp", tree + "/d/holes", target.root + "/d/holes"}).out, "");
    EXPECT_THAT(run_checked({"getfattr", "-n", "user.hutch", target.root + "/d/a"}).out,
                HasSubstr("\"value\""));
    // The kernel stores a version 3 capability that counts for this root of a user namespace only.
    EXPECT_THAT(run_checked({"getcap", "-n", target.root + "/d/cap"}).out,
                AllOf(HasSubstr("cap_net_raw=ep"), HasSubstr("rootid=100000")));
    const std::string acl = run_checked({"getfacl", "-nc", target.root + "/d/a"}).out;
    EXPECT_THAT(acl,
                AllOf(HasSubstr("user:154711:rw-"), HasSubstr("group:154712:r--"), HasSubstr("mask::r--")));
    EXPECT_THAT(run_checked({"getfacl", "-nc", target.root + "/d"}).out,
                HasSubstr("default:user:154711:rwx"));
    EXPECT_EQ(target.status("d/a").st_mode, S_IFREG | 0640U);
  }
}

TEST_F(Extract, AThrowingCallbackEndsTheHelper) {
  Unpacked unpacked;
  const std::string archive = unpacked.scratch / "a.tar";
  write_text(archive, TarMaker().file("f", "x").stream());
  const UniqueFd root = open_file(AT_FDCWD, unpacked.root, O_RDONLY | O_DIRECTORY);
  EXPECT_THROW(extract_template(
                   {.archive = archive,
                    .root_fd = root.get(),
                    .progress = [](std::uint64_t, std::uint64_t) { throw std::runtime_error("enough"); }}),
               std::runtime_error);
}

TEST_F(Extract, ReportsAHelperThatCannotRun) {
  Unpacked unpacked;
  write_text(unpacked.scratch / "a.tar", "x");
  const auto refusal = [&](const std::string& helper, const std::vector<ArchiveIdRange>& ids) {
    const UniqueFd root = open_file(AT_FDCWD, unpacked.root, O_RDONLY | O_DIRECTORY);
    return error_of([&] {
      extract_template({.archive = unpacked.scratch / "a.tar",
                        .root_fd = root.get(),
                        .uids = ids,
                        .gids = ids,
                        .helper = helper});
    });
  };
  EXPECT_THAT(refusal("/no/helper", {}), HasSubstr("/no/helper"));
  EXPECT_THAT(refusal("/dev/null", {}), HasSubstr("cannot execute hutch-archive"));
  EXPECT_THAT(refusal("/bin/false", {}), HasSubstr("exited with status 1"));
  EXPECT_THAT(refusal("/bin/true", {{5, 100000, 10}}), HasSubstr("cannot become root"));
  EXPECT_THAT(refusal("/bin/true", {{0, 100000, 10}, {5, 200000, 10}}), HasSubstr("uid_map"));
}

}  // namespace
}  // namespace hutch
