#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <map>

#include "base/text.h"
#include "tests/cgroupv2/fake_tree.h"
#include "tests/cgroupv2/kernel_support.h"

namespace hutch::cgroupv2 {
namespace {

class LayoutKernelTest : public KernelTest {};

// What mountinfo's shorter brother says about the host's v1 controllers.
std::map<std::string, std::string, std::less<>> mounted_v1() {
  std::map<std::string, std::string, std::less<>> result;
  const std::string text = read_file(AT_FDCWD, "/proc/self/mounts");
  for (const auto line : split(text, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() < 4 || words[2] != "cgroup") continue;
    const std::string path(words[1]);
    for (const auto part : split(words[1].substr(words[1].rfind('/') + 1), ',')) {
      for (const auto option : split(words[3], ',')) {
        if (option == part) result.emplace(part, path);
      }
    }
  }
  return result;
}

TEST_F(LayoutKernelTest, AgreesWithTheMountTable) {
  const Layout layout = detect_layout();
  EXPECT_EQ(layout.v1, mounted_v1());
  struct statfs status {};
  ASSERT_EQ(::statfs(layout.unified.c_str(), &status), 0);
  EXPECT_EQ(status.f_type, CGROUP2_SUPER_MAGIC);
}

// Runs `body` in a child with a mount namespace of its own; its result is the exit status.
int in_private_mounts(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const bool ready =
        ::unshare(CLONE_NEWNS) == 0 && ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    int result = 90;
    try {
      if (ready) result = body();
    } catch (const std::exception& error) {
      ::dprintf(2, "%s\n", error.what());
      result = 91;
    }
    ::_exit(result);
  }
  int status = -1;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(LayoutKernelTest, APureCgroup2Mount) {
  const FakeTree tree;
  EXPECT_EQ(in_private_mounts([&tree] {
              check(::mount("cgroup2", tree.path().c_str(), "cgroup2", 0, nullptr), "mount");
              const Layout layout = detect_layout(tree.path());
              if (layout.hybrid() || layout.unified != tree.path()) return 1;
              const std::string text = read_file(AT_FDCWD, tree.path() + "/cgroup.controllers");
              return layout.v2_controllers.size() == split_blanks(text).size() ? 0 : 2;
            }),
            0);
}

TEST_F(LayoutKernelTest, CoMountedControllersBehindLinks) {
  const std::string cpu = detect_layout().v1_hierarchy("cpu");
  if (cpu.empty()) GTEST_SKIP() << "probe: cpu is not on a v1 hierarchy";
  const FakeTree tree;
  for (const char* directory : {"unified", "cpu,cpuacct", "systemd", "memory"}) {
    ASSERT_EQ(::mkdir((tree.path() + "/" + directory).c_str(), 0755), 0);
  }
  for (const char* link : {"cpu", "cpuacct"}) {
    ASSERT_EQ(::symlink("cpu,cpuacct", (tree.path() + "/" + link).c_str()), 0);
  }
  EXPECT_EQ(
      in_private_mounts([&tree, &cpu] {
        const std::string both = tree.path() + "/cpu,cpuacct";
        check(::mount("cgroup2", (tree.path() + "/unified").c_str(), "cgroup2", 0, nullptr), "mount");
        check(::mount(cpu.c_str(), both.c_str(), nullptr, MS_BIND, nullptr), "bind");
        check(::mount(cpu.c_str(), (tree.path() + "/systemd").c_str(), nullptr, MS_BIND, nullptr), "bind");
        const Layout layout = detect_layout(tree.path());
        const std::map<std::string, std::string, std::less<>> expected = {{"cpu", both}, {"cpuacct", both}};
        // "memory" is there, but nothing is mounted on it.
        return layout.v1 == expected && layout.v1_hierarchies().size() == 1 ? 0 : 1;
      }),
      0);
}

}  // namespace
}  // namespace hutch::cgroupv2
