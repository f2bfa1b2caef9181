#include "guest/guest_root.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "tests/guest/rootfs.h"

namespace hutch::guest {
namespace {

int error_of(const auto& action) {
  try {
    action();
  } catch (const Error& failed) {
    return failed.error_number();
  }
  return 0;
}

TEST(GuestRoot, WritesWithModeAndLeavesNoTemporaryFile) {
  const TemporaryRootfs rootfs;
  const ::mode_t before = ::umask(0077);
  rootfs.root().write("/etc/hostname", "web\n");
  rootfs.root().make_directories("/etc/a/b");
  ::umask(before);
  EXPECT_EQ("web\n", rootfs.get("/etc/hostname"));
  EXPECT_EQ(0644U, rootfs.mode("/etc/hostname"));
  EXPECT_EQ(0755U, rootfs.mode("/etc/a/b"));
  EXPECT_THAT(rootfs.root().list("/etc"), ::testing::ElementsAre("a", "hostname"));
}

TEST(GuestRoot, UnchangedFileIsNotRewrittenButWrongModeIs) {
  const TemporaryRootfs rootfs;
  rootfs.root().write("/etc/hostname", "web\n");
  const auto inode = rootfs.status("/etc/hostname").st_ino;
  rootfs.root().write("/etc/hostname", "web\n");
  EXPECT_EQ(inode, rootfs.status("/etc/hostname").st_ino);
  ::chmod(rootfs.path("/etc/hostname").c_str(), 0666);
  rootfs.root().write("/etc/hostname", "web\n");
  EXPECT_EQ(0644U, rootfs.mode("/etc/hostname"));
}

TEST(GuestRoot, WrittenThingsBelongToTheContainersRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "probe: only root may give files away";
  const TemporaryRootfs rootfs;
  const GuestRoot root(rootfs.fd(), Owner{100000, 100001});
  rootfs.put("/etc/hosts", "x");
  root.write("/etc/hosts", "x");  // same content and mode, wrong owner
  root.symlink("hosts", "/etc/link");
  root.make_directories("/etc/new");
  for (const auto* name : {"/etc/hosts", "/etc/link", "/etc/new"}) {
    EXPECT_EQ(100000U, rootfs.status(name).st_uid) << name;
    EXPECT_EQ(100001U, rootfs.status(name).st_gid) << name;
  }
}

TEST(GuestRoot, KeepsOwnerAndModeWhereAsked) {
  const TemporaryRootfs rootfs;
  rootfs.put("/etc/shadow", "old", 0640);
  if (::geteuid() == 0) check(::chown(rootfs.path("/etc/shadow").c_str(), 0, 42), "chown");
  rootfs.root().write_keeping_owner("/etc/shadow", "new");
  EXPECT_EQ("new", rootfs.get("/etc/shadow"));
  EXPECT_EQ(0640U, rootfs.mode("/etc/shadow"));
  if (::geteuid() == 0) {
    EXPECT_EQ(42U, rootfs.status("/etc/shadow").st_gid);
  }
  EXPECT_EQ(ENOENT, error_of([&] { rootfs.root().write_keeping_owner("/etc/none", "x"); }));
}

TEST(GuestRoot, SymlinkIsReplacedAndReadThrough) {
  const TemporaryRootfs rootfs;
  rootfs.put("/run/real", "through");
  rootfs.link("/run/real", "/etc/resolv.conf");
  EXPECT_EQ("through", rootfs.root().read("/etc/resolv.conf"));
  rootfs.root().write("/etc/resolv.conf", "new");
  EXPECT_TRUE(S_ISREG(rootfs.status("/etc/resolv.conf").st_mode));
  EXPECT_EQ("through", rootfs.get("/run/real"));
}

TEST(GuestRoot, HardLinkIsCutOff) {
  const TemporaryRootfs rootfs;
  rootfs.put("/etc/other", "same");
  check(::link(rootfs.path("/etc/other").c_str(), rootfs.path("/etc/hostname").c_str()), "link");
  rootfs.root().write("/etc/hostname", "same");
  EXPECT_EQ(1U, rootfs.status("/etc/hostname").st_nlink);
}

TEST(GuestRoot, SymlinkIsMadeAtomicallyAndOnlyWhenItDiffers) {
  const TemporaryRootfs rootfs;
  rootfs.root().symlink("/a", "/etc/link");
  const auto inode = rootfs.status("/etc/link").st_ino;
  rootfs.root().symlink("/a", "/etc/link");
  EXPECT_EQ(inode, rootfs.status("/etc/link").st_ino);
  rootfs.root().symlink("/b", "/etc/link");
  EXPECT_EQ("/b", rootfs.root().read_link("/etc/link"));
  EXPECT_EQ(std::nullopt, rootfs.root().read_link("/etc"));
}

TEST(GuestRoot, RemoveIgnoresMissingFilesAndDirectories) {
  const TemporaryRootfs rootfs;
  rootfs.put("/etc/x", "");
  rootfs.root().remove("/etc/x");
  EXPECT_FALSE(rootfs.exists("/etc/x"));
  rootfs.root().remove("/etc/x");
  rootfs.root().remove("/no/such/directory/x");
}

TEST(GuestRoot, IgnoreMarkStopsEveryChange) {
  const TemporaryRootfs rootfs;
  const GuestRoot root = rootfs.root();
  rootfs.put("/etc/.pve-ignore.hosts", "");
  rootfs.put("/etc/hosts", "mine", 0600);
  const auto before = rootfs.snapshot();
  root.write("/etc/hosts", "theirs");
  root.write_keeping_owner("/etc/hosts", "theirs");
  root.symlink("/x", "/etc/hosts");
  root.remove("/etc/hosts");
  EXPECT_EQ(before, rootfs.snapshot());
  EXPECT_TRUE(root.ignored("/etc/hosts"));
  EXPECT_FALSE(root.ignored("/etc/hostname"));
  EXPECT_FALSE(root.ignored("/missing/hostname"));
  rootfs.put("/etc/.pve-ignore.directory", "");
  root.make_directories("/etc/directory");
  EXPECT_TRUE(root.is_directory("/etc/directory"));
}

TEST(GuestRoot, IgnoreMarkMustBeRegularAlsoThroughASymlink) {
  const TemporaryRootfs rootfs;
  std::filesystem::create_directory(rootfs.path("/etc/.pve-ignore.a"));
  rootfs.link("/nowhere", "/etc/.pve-ignore.b");
  rootfs.put("/mark", "");
  rootfs.link("/mark", "/etc/.pve-ignore.c");
  EXPECT_FALSE(rootfs.root().ignored("/etc/a"));
  EXPECT_FALSE(rootfs.root().ignored("/etc/b"));
  EXPECT_TRUE(rootfs.root().ignored("/etc/c"));
}

// --- hostile rootfs ---

TEST(HostileRoot, SymlinkedEtcStaysInside) {
  const TemporaryRootfs rootfs;
  std::filesystem::remove(rootfs.path("/etc"));
  rootfs.link(rootfs.outside(), "/etc");
  rootfs.put("/unrelated", "");
  EXPECT_EQ(ENOENT, error_of([&] { rootfs.root().write("/etc/hostname", "x"); }));
  // The same path made inside the rootfs is where the link leads for the guest.
  std::filesystem::create_directories(rootfs.path(rootfs.outside()));
  rootfs.root().write("/etc/hostname", "x");
  EXPECT_EQ("x", rootfs.get(rootfs.outside("hostname")));
  EXPECT_TRUE(rootfs.outside_is_empty());
}

TEST(HostileRoot, DotDotStaysInside) {
  const TemporaryRootfs rootfs;
  std::ofstream(rootfs.outside("secret")) << "secret";
  rootfs.link("../../outside/secret", "/etc/hostname");
  rootfs.link("../../../../../../../.." + rootfs.outside("secret"), "/etc/hosts");
  EXPECT_EQ(std::nullopt, rootfs.root().read("/etc/hostname"));
  EXPECT_EQ(std::nullopt, rootfs.root().read("/etc/hosts"));
  EXPECT_EQ(std::nullopt, rootfs.root().read("/../../outside/secret"));
  rootfs.root().write("/etc/hostname", "new");
  rootfs.root().write("/etc/hosts", "new");
  EXPECT_EQ("secret", read_file(AT_FDCWD, rootfs.outside("secret")));
  EXPECT_EQ("new", rootfs.get("/etc/hostname"));
}

TEST(HostileRoot, DirectoriesAreNotMadeOutside) {
  const TemporaryRootfs rootfs;
  rootfs.link("../../outside", "/etc/systemd");
  EXPECT_THROW(rootfs.root().make_directories("/etc/systemd/network"), Error);
  EXPECT_TRUE(rootfs.outside_is_empty());
  EXPECT_THROW(rootfs.root().write("/etc/..", "x"), Error);
  EXPECT_THROW(rootfs.root().write("/etc/", "x"), Error);
}

TEST(HostileRoot, PredictedTemporaryNameIsNotFollowed) {
  const TemporaryRootfs rootfs;
  rootfs.link(rootfs.outside("victim"), "/etc/hostname.tmp." + std::to_string(::getpid()));
  rootfs.root().write("/etc/hostname", "x");
  EXPECT_EQ("x", rootfs.get("/etc/hostname"));
  EXPECT_TRUE(rootfs.outside_is_empty());
  EXPECT_EQ(0644U, rootfs.mode("/etc/hostname"));
}

TEST(HostileRoot, FifoNeitherBlocksNorCounts) {
  const TemporaryRootfs rootfs;
  check(::mkfifo(rootfs.path("/etc/hostname").c_str(), 0666), "mkfifo");
  EXPECT_FALSE(rootfs.root().is_regular("/etc/hostname"));
  EXPECT_EQ(std::nullopt, rootfs.root().read("/etc/hostname"));
  EXPECT_EQ(std::nullopt, rootfs.root().read_start("/etc/hostname", 10));
  rootfs.root().write("/etc/hostname", "web\n");
  EXPECT_EQ("web\n", rootfs.get("/etc/hostname"));
}

TEST(HostileRoot, DeviceIsNotOpened) {
  const TemporaryRootfs rootfs;
  if (::mknod(rootfs.path("/etc/hosts").c_str(), S_IFCHR | 0666, makedev(1, 5)) < 0) {
    GTEST_SKIP() << "probe: mknod is not allowed here";
  }
  EXPECT_EQ(std::nullopt, rootfs.root().read("/etc/hosts"));
  rootfs.root().write("/etc/hosts", "x");
  EXPECT_TRUE(S_ISREG(rootfs.status("/etc/hosts").st_mode));
}

TEST(HostileRoot, DirectoryInTheFilesPlaceIsAClearError) {
  const TemporaryRootfs rootfs;
  std::filesystem::create_directory(rootfs.path("/etc/hostname"));
  EXPECT_EQ(std::nullopt, rootfs.root().read("/etc/hostname"));
  EXPECT_EQ(EISDIR, error_of([&] { rootfs.root().write("/etc/hostname", "x"); }));
  EXPECT_EQ(EISDIR, error_of([&] { rootfs.root().remove("/etc/hostname"); }));
  EXPECT_THAT(rootfs.root().list("/etc"), ::testing::ElementsAre("hostname"));
}

TEST(HostileRoot, DanglingAndLoopingLinksCountAsMissing) {
  const TemporaryRootfs rootfs;
  rootfs.link("nowhere", "/etc/a");
  rootfs.link("b", "/etc/b");
  for (const auto* name : {"/etc/a", "/etc/b"}) {
    EXPECT_FALSE(rootfs.root().is_regular(name));
    EXPECT_EQ(std::nullopt, rootfs.root().read(name));
    rootfs.root().write(name, "x");
    EXPECT_EQ("x", rootfs.get(name));
  }
}

TEST(HostileRoot, MagicLinksAreNotFollowed) {
  const TemporaryRootfs rootfs;
  std::ofstream(rootfs.outside("secret")) << "secret";
  // A procfs below the rootfs (a mount point, or a running container's own) has links that leave every root.
  const UniqueFd proc = open_file(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
  const GuestRoot host(proc.get(), Owner{::geteuid(), ::getegid()});
  const UniqueFd secret = open_file(AT_FDCWD, rootfs.outside("secret"), O_RDONLY);
  EXPECT_EQ(std::nullopt, host.read("/proc/self/fd/" + std::to_string(secret.get())));
  EXPECT_EQ(std::nullopt, host.read("/proc/self/root/etc/passwd"));
}

TEST(HostileRoot, HugeFileIsRefusedWithoutReadingIt) {
  const TemporaryRootfs rootfs;
  rootfs.put("/etc/hosts", "");
  check(::truncate(rootfs.path("/etc/hosts").c_str(), off_t{1} << 38), "truncate");
  EXPECT_EQ(EFBIG, error_of([&] { rootfs.root().read("/etc/hosts"); }));
  EXPECT_EQ(16U, rootfs.root().read_start("/etc/hosts", 16)->size());
  EXPECT_EQ("x", (rootfs.root().write("/etc/hosts", "x"), rootfs.get("/etc/hosts")));
}

TEST(HostileRoot, FileInADirectorysPlace) {
  const TemporaryRootfs rootfs;
  rootfs.put("/etc/network", "file");
  EXPECT_EQ(std::nullopt, rootfs.root().read("/etc/network/interfaces"));
  EXPECT_EQ(ENOTDIR, error_of([&] { rootfs.root().write("/etc/network/interfaces", "x"); }));
  EXPECT_THROW(rootfs.root().make_directories("/etc/network"), Error);
  EXPECT_TRUE(rootfs.root().list("/etc/network").empty());
}

}  // namespace
}  // namespace hutch::guest
