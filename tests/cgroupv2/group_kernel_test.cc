#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/text.h"
#include "cgroupv2/group.h"
#include "tests/cgroupv2/kernel_support.h"

namespace hutch::cgroupv2 {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class GroupKernelTest : public KernelTest {};

int sleep_forever() {
  for (;;) ::pause();
}

// What /proc says about the process's place on a v1 hierarchy or ("") on cgroup2.
std::string place_of(pid_t pid, std::string_view controller) {
  const std::string text = read_file(AT_FDCWD, formatted("/proc/{}/cgroup", pid));
  for (const auto line : split(text, '\n')) {
    const auto parts = split(line, ':');
    if (parts.size() == 3 && parts[1] == controller) return std::string(parts[2]);
  }
  return {};
}

TEST_F(GroupKernelTest, CreateJoinRemoveLeavesNothing) {
  TestGroup group("life");
  std::vector<FileWrite> writes;
  for (const auto& write : {FileWrite{"memory.max", "64M", {}}, FileWrite{"pids.max", "50", {}}}) {
    if (!no_controller(write.file.substr(0, write.file.find('.')))) writes.push_back(write);
  }
  group.start(writes);
  {
    const Child child(group, sleep_forever);
    EXPECT_EQ(place_of(child.pid(), ""), "/" + group.path() + "/ns");
    for (const char* controller : {"memory", "pids"}) {
      if (group.layout().v1_hierarchy(controller).empty()) continue;
      EXPECT_EQ(place_of(child.pid(), controller), "/" + group.path());
    }
  }
  group.remove();
  EXPECT_THAT(group.traces(), IsEmpty());
}

TEST_F(GroupKernelTest, TheTwoHalvesOfTheCreation) {
  const std::string pids = detect_layout().v1_hierarchy("pids");
  if (pids.empty()) GTEST_SKIP() << "probe: pids is not on a v1 hierarchy";
  TestGroup group("halves");
  const auto writes = place({{"pids.max", "50", {}}}, group.layout());
  group.create_unified(writes);
  EXPECT_TRUE(path_exists(AT_FDCWD, group.inner_directory()));
  EXPECT_EQ(group.traces(), std::vector<std::string>{group.layout().unified});
  group.remove();
  EXPECT_THAT(group.traces(), IsEmpty());

  group.create_v1(writes);
  EXPECT_TRUE(path_exists(AT_FDCWD, pids + "/" + group.path()));
  EXPECT_EQ(group.traces(), std::vector<std::string>{pids});
  group.apply(writes);
  EXPECT_EQ(group.read("pids", "pids.max", "pids.max"), "50");
}

TEST_F(GroupKernelTest, AnotherProcessJoinsWhereTheGroupExists) {
  if (detect_layout().v1_hierarchy("pids").empty()) GTEST_SKIP() << "probe: pids is not on a v1 hierarchy";
  TestGroup group("enter");
  group.start({{"pids.max", "50", {}}});
  const Child init(group, sleep_forever);
  Group stranger(detect_layout(), group.path());
  SharedCounter joined;
  const pid_t pid = ::fork();
  if (pid == 0) {
    stranger.join_existing();
    joined.add();
    sleep_forever();
  }
  EXPECT_TRUE(joined.reaches(1));
  EXPECT_EQ(place_of(pid, "pids"), "/" + group.path());
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(GroupKernelTest, AGroupInUseIsRefusedAndKept) {
  TestGroup group("used");
  group.start({});
  const Child child(group, sleep_forever);
  Group second(detect_layout(), group.path());
  try {
    second.create({});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EBUSY);
    EXPECT_THAT(error.what(), HasSubstr(formatted("already in use by pid {}", child.pid())));
  }
  EXPECT_TRUE(populated(group.inner_directory()));
}

TEST_F(GroupKernelTest, AV1GroupInUseIsRefusedAndTheRestRemoved) {
  const std::string hierarchy = detect_layout().v1_hierarchy("pids");
  if (hierarchy.empty()) GTEST_SKIP() << "probe: pids is not on a v1 hierarchy";
  TestGroup group("used-v1");
  group.start({{"pids.max", "50", {}}});
  Child child(group, sleep_forever);
  // The process leaves the cgroup2 tree, as one that was moved by hand.
  write_kernel_file(AT_FDCWD, group.layout().unified + "/cgroup.procs", std::to_string(child.pid()));
  Group second(detect_layout(), group.path());
  EXPECT_THROW(second.create(place({{"pids.max", "50", {}}}, second.layout())), Error);
  EXPECT_FALSE(path_exists(AT_FDCWD, group.directory()));
  EXPECT_TRUE(path_exists(AT_FDCWD, hierarchy + "/" + group.path()));
}

TEST_F(GroupKernelTest, AStaleGroupIsReplaced) {
  TestGroup group("stale");
  group.start({});
  ASSERT_EQ(::mkdir((group.inner_directory() + "/left").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir((group.inner_directory() + "/left/over").c_str(), 0755), 0);
  Group second(detect_layout(), group.path());
  second.create({});
  EXPECT_FALSE(path_exists(AT_FDCWD, group.inner_directory() + "/left"));
  EXPECT_TRUE(path_exists(AT_FDCWD, group.inner_directory()));
}

TEST_F(GroupKernelTest, GroupsDeeperThanPathMaxAreRemoved) {
  TestGroup group("deep");
  group.start({});
  const std::string name(200, 'd');
  UniqueFd at = group.open_inner();
  for (int depth = 0; depth < 25; ++depth) {
    ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0755), 0) << depth;
    ASSERT_EQ(::mkdirat(at.get(), "side", 0755), 0) << depth;
    at = open_file(at.get(), name, O_RDONLY | O_DIRECTORY);
  }
  at.reset();
  group.remove();
  EXPECT_THAT(group.traces(), IsEmpty());
}

TEST_F(GroupKernelTest, RemovingAGroupInUseFailsAfterTheWait) {
  TestGroup group("busy");
  group.start({});
  const Child child(group, sleep_forever);
  try {
    group.remove(milliseconds(30));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EBUSY);
    EXPECT_THAT(error.what(), HasSubstr(formatted("pid {}", child.pid())));
  }
}

TEST_F(GroupKernelTest, RemoveWaitsForKilledProcesses) {
  for (int round = 0; round < 20; ++round) {
    TestGroup group("killed");
    group.start(no_controller("pids") ? std::vector<FileWrite>{}
                                      : std::vector<FileWrite>{{"pids.max", "9", {}}});
    Child child(group, sleep_forever);
    kill_all(group.directory());
    group.remove();
    EXPECT_THAT(group.traces(), IsEmpty());
  }
}

TEST_F(GroupKernelTest, TheSharedParentMayVanishAtAnyMoment) {
  const auto writes =
      no_controller("cpuset") ? std::vector<FileWrite>{} : std::vector<FileWrite>{{"cpuset.cpus", "0", {}}};
  const Layout layout = detect_layout();
  const auto placed = place(writes, layout);
  const std::string parent = formatted("hutch-test-{}-shared", ::getpid());
  std::vector<pid_t> pids;
  for (const char* name : {"a", "b", "c"}) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      try {
        for (int round = 0; round < 100; ++round) {
          Group group(layout, parent + "/" + name);
          group.create(placed);
          group.apply(placed);
          group.remove();
        }
        ::_exit(0);
      } catch (const std::exception& error) {
        ::dprintf(2, "%s\n", error.what());
        ::_exit(1);
      }
    }
    pids.push_back(pid);
  }
  for (const pid_t pid : pids) {
    int status = -1;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_FALSE(path_exists(AT_FDCWD, layout.unified + "/" + parent));
  for (const auto& hierarchy : layout.v1_hierarchies()) {
    EXPECT_FALSE(path_exists(AT_FDCWD, hierarchy + "/" + parent)) << hierarchy;
  }
}

TEST_F(GroupKernelTest, AParentsCpusetIsFilledWhereItIsEmptyOnly) {
  const Layout layout = detect_layout();
  const std::string hierarchy = layout.v1_hierarchy("cpuset");
  if (hierarchy.empty()) GTEST_SKIP() << "probe: cpuset is not on a v1 hierarchy";
  const std::string all(trim(read_file(AT_FDCWD, hierarchy + "/cpuset.cpus")));
  if (all == "0") GTEST_SKIP() << "probe: this host has one CPU";
  const std::string parent = formatted("hutch-test-{}-parent", ::getpid());
  const std::string directory = hierarchy + "/" + parent;
  const std::vector<PlacedWrite> writes = {{hierarchy, "cpuset.cpus", "0", {}}};
  const auto list_left_by_a_start = [&] {
    // The cgroup2 tree has no such parent, which makes the start expect none here.
    Group group(layout, parent + "/a");
    group.create(writes);
    const std::string list(trim(read_file(AT_FDCWD, directory + "/cpuset.cpus")));
    group.remove();
    return list;
  };
  EXPECT_EQ(list_left_by_a_start(), all);
  make_directories(directory);
  write_kernel_file(AT_FDCWD, directory + "/cpuset.mems", "0");
  write_kernel_file(AT_FDCWD, directory + "/cpuset.cpus", "0");
  EXPECT_EQ(list_left_by_a_start(), "0");
  EXPECT_FALSE(path_exists(AT_FDCWD, directory));
}

TEST_F(GroupKernelTest, AWriteThatTheKernelRefusesNamesItsLine) {
  if (const auto reason = no_controller("cpuset")) GTEST_SKIP() << "probe: " << *reason;
  TestGroup group("refused");
  try {
    group.start({{"cpuset.cpus", "4000", {"100.conf", 12}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("cpuset.cpus"), HasSubstr("100.conf:12")));
  }
}

TEST_F(GroupKernelTest, AChildOfAUserNamespaceMovesItself) {
  // A kernel can have one of them on v1 only (Debian 13 has no v1 cpusets).
  std::vector<std::string> controllers = {"pids", "cpuset"};
  std::erase_if(controllers, [](const auto& name) { return detect_layout().v1_hierarchy(name).empty(); });
  if (controllers.empty()) GTEST_SKIP() << "probe: neither pids nor cpuset is on a v1 hierarchy";
  TestGroup group("self");
  group.start({{"pids.max", "50", {}}, {"cpuset.cpus", "0", {}}});
  std::vector<UniqueFd> tasks;
  for (const auto& controller : controllers) {
    tasks.push_back(group.open_tasks(detect_layout().v1_hierarchy(controller)));
  }
  SharedCounter moved;
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWCGROUP) < 0) ::_exit(1);
    for (const auto& file : tasks) {
      if (::write(file.get(), "0", 1) != 1) ::_exit(2);
    }
    moved.add();
    sleep_forever();
  }
  EXPECT_TRUE(moved.reaches(1));
  for (const auto& controller : controllers) EXPECT_EQ(place_of(pid, controller), "/" + group.path());
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(GroupKernelTest, DelegationLetsTheContainersRootMakeGroups) {
  constexpr gid_t kGid = 165000;
  TestGroup group("delegated");
  group.start({});
  group.delegate(kGid);
  const auto status_of = [](const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status;
  };
  const auto directory = status_of(group.inner_directory());
  EXPECT_EQ(directory.st_gid, kGid);
  EXPECT_EQ(directory.st_uid, 0U);
  EXPECT_EQ(directory.st_mode & 07777U, 0775U);
  for (const char* file : {"/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"}) {
    const auto status = status_of(group.inner_directory() + file);
    EXPECT_EQ(status.st_gid, kGid) << file;
    EXPECT_EQ(status.st_mode & 07777U, 0664U) << file;
  }
  for (const char* file : {"/cgroup.max.depth", "/cgroup.freeze"}) {
    EXPECT_EQ(status_of(group.inner_directory() + file).st_gid, 0U) << file;
  }
  EXPECT_EQ(status_of(group.directory()).st_gid, 0U);
  EXPECT_EQ(status_of(group.directory() + "/cgroup.procs").st_gid, 0U);
  Child root(group, [&group] {
    const std::string child = group.inner_directory() + "/init.scope";
    if (::setresgid(kGid, kGid, kGid) < 0 || ::setresuid(kGid, kGid, kGid) < 0) return 1;
    if (::mkdir(child.c_str(), 0755) < 0) return 2;
    try {
      write_kernel_file(AT_FDCWD, child + "/cgroup.procs", "0");
    } catch (const Error&) {
      return 3;
    }
    return ::open((group.directory() + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC) < 0 ? 0 : 4;
  });
  EXPECT_EQ(root.wait(), 0);
}

// Enabling on the real cgroup2 tree, with whichever controller of it has a harmless limit.
class UnifiedKernelTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    for (const auto& row : {FileWrite{"pids.max", "1000", {}}, FileWrite{"hugetlb.2MB.max", "0", {}}}) {
      controller_ = row.file.substr(0, row.file.find('.'));
      const bool supported =
          controller_ != "hugetlb" || path_exists(AT_FDCWD, "/sys/kernel/mm/hugepages/hugepages-2048kB");
      if (layout_.has_v2(controller_) && supported) write_ = row;
      if (!write_.file.empty()) break;
    }
    if (write_.file.empty()) GTEST_SKIP() << "probe: the cgroup2 tree has neither pids nor hugetlb";
    enabled_before_ = enabled();
  }
  void TearDown() override {
    KernelTest::TearDown();
    // The root group is not ours: it goes back to what it was.
    if (!write_.file.empty() && !enabled_before_ && enabled()) {
      write_kernel_file(AT_FDCWD, layout_.unified + "/cgroup.subtree_control", "-" + controller_);
    }
  }
  bool enabled() const {
    const std::string text = read_file(AT_FDCWD, layout_.unified + "/cgroup.subtree_control");
    const auto words = split_blanks(text);
    return std::find(words.begin(), words.end(), controller_) != words.end();
  }
  const Layout layout_ = no_cgroups_here() ? Layout{} : detect_layout();
  std::string controller_;
  FileWrite write_;
  bool enabled_before_ = false;
};

TEST_F(UnifiedKernelTest, ControllersAreEnabledDownThePath) {
  TestGroup group("unified");
  group.start({write_});
  std::string text = read_file(AT_FDCWD, group.directory() + "/" + write_.file);
  EXPECT_EQ(trim(text), write_.value);
  EXPECT_TRUE(path_exists(AT_FDCWD, group.inner_directory() + "/" + write_.file));
  const Child child(group, sleep_forever);
  EXPECT_EQ(place_of(child.pid(), ""), "/" + group.path() + "/ns");
}

TEST_F(UnifiedKernelTest, ProcessesInAParentAreExplained) {
  TestGroup blocker("blocked");
  blocker.start({});
  Child child(blocker, sleep_forever);
  Group below(layout_, blocker.path() + "/ns/child");
  try {
    below.create(place({write_}, layout_));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EBUSY);
    EXPECT_THAT(error.what(), HasSubstr("processes sit directly in"));
  }
  EXPECT_FALSE(path_exists(AT_FDCWD, below.directory()));
}

}  // namespace
}  // namespace hutch::cgroupv2
