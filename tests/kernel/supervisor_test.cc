#include "runtime/supervisor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <variant>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/ignoring.h"
#include "base/process.h"
#include "base/text.h"
#include "base/undo.h"
#include "runtime/cpu_placement.h"
#include "runtime/link_removal.h"
#include "runtime/stop.h"
#include "tests/kernel/container_fixture.h"

// The supervisor of a container that runs is next to nothing (runtime/waiter.h) and still does all its work.
namespace hutch::kernel_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SupervisorTest : public ContainerTest {
 protected:
  void run_as_init(const std::string& script) { spec.init.argv = {"/bin/sh", "-c", script}; }

  // The supervisor, then what it has made that is not init; no zombies.
  std::vector<pid_t> companions() const {
    std::vector<pid_t> found;
    for (const auto& entry : list_directory("/proc")) {
      const auto pid = parse_unsigned(entry);
      if (!pid) continue;
      std::string stat;
      // ESRCH: it has ended between open and read.
      ignoring(ESRCH,
               [&] { stat = read_file_if_exists(AT_FDCWD, formatted("/proc/{}/stat", entry)).value_or(""); });
      const auto words = split_blanks(stat);  // the name has none
      if (words.size() < 3 || words[1] != formatted("(hutch:{})", vmid()) || words[2] == "Z") continue;
      found.push_back(static_cast<pid_t>(*pid));
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  bool wait_for_companions(std::size_t count) const {
    for (int attempt = 0; attempt < 2000; ++attempt) {
      if (companions().size() == count) return true;
      ::usleep(1000);
    }
    return false;
  }

  bool has_host_link() const { return path_exists(AT_FDCWD, formatted("/sys/class/net/veth{}i0", vmid())); }
};

// "Pss:  24 kB" of smaps_rollup.
std::uint64_t proportional_kilobytes(pid_t pid) {
  const std::string text = read_file(AT_FDCWD, formatted("/proc/{}/smaps_rollup", pid));
  for (const auto line : split(text, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() == 3 && words[0] == "Pss:") return parse_unsigned(words[1]).value_or(0);
  }
  throw Error("no Pss in smaps_rollup");
}

// Whether the supervisor has become a waiter: its program's text is all but gone.
constexpr std::size_t kSmall = 60;  // kB

bool wait_until_small(pid_t pid) {
  for (int attempt = 0; attempt < 2000; ++attempt) {
    if (proportional_kilobytes(pid) <= kSmall) return true;
    ::usleep(1000);
  }
  return false;
}

TEST_F(SupervisorTest, NeedsNextToNoMemory) {
  spec.console = true;
  spec.links = {veth_on(make_bridge())};
  // Like `pct start`, whose memory the supervisor may share as long as it lives.
  const pid_t starter = ::fork();
  ASSERT_GE(starter, 0);
  if (starter == 0) {
    try {
      start();
    } catch (const Error&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(starter, &status, 0), starter);
  ASSERT_EQ(status, 0);
  const pid_t supervisor = state().supervisor.pid;
  EXPECT_TRUE(wait_until_small(supervisor)) << proportional_kilobytes(supervisor) << " kB"
                                            << read_file(AT_FDCWD, formatted("/proc/{}/maps", supervisor));
}

// How much of this program's code is mapped, in kB.
std::uint64_t mapped_code() {
  const std::string text = read_file(AT_FDCWD, "/proc/self/smaps");
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  bool code = false;
  for (const auto line : split(text, '\n')) {
    const auto words = split_blanks(line);
    if (words.size() == 6 && words[5] == program) code = words[1] == "r-xp";
    if (code && words.size() == 3 && words[0] == "Rss:") return parse_unsigned(words[1]).value_or(0);
  }
  throw Error("this program's code is not in smaps");
}

TEST_F(SupervisorTest, MapsTheStartersCodeBesideIt) {
  const CpuPlacement placement;
  if (!placement.has_other_cpus()) GTEST_SKIP() << "probe: this process may not use a second CPU";
  // Of what is only read, a forked process has nothing mapped at first.
  const pid_t starter = ::fork();
  ASSERT_GE(starter, 0);
  if (starter == 0) {
    const std::uint64_t before = mapped_code();
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) ::_exit(1);
    SupervisorSetup setup;
    setup.vmid = vmid();
    const UniqueFd mounts = open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
    setup.host_mounts = mounts.get();
    Supervisor supervisor(setup, UniqueFd(ends[1]), placement);
    supervisor.await_ready();
    // It goes on as long as it has no order.
    std::uint64_t after = mapped_code();
    for (int attempt = 0; attempt < 500 && after <= 2 * before; ++attempt) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      after = mapped_code();
    }
    supervisor.dismiss();
    std::fprintf(stderr, "%llu kB, then %llu kB\n", static_cast<unsigned long long>(before),
                 static_cast<unsigned long long>(after));
    ::_exit(after > 2 * before ? 0 : 2);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(starter, &status, 0), starter);
  EXPECT_EQ(status, 0);
}

TEST_F(SupervisorTest, HasInitAsItsOnlyCompanionOnceThatRuns) {
  start();
  EXPECT_THAT(companions(), ElementsAre(state().supervisor.pid));
}

TEST_F(SupervisorTest, TakesItsForerunnerAlongWhenItIsKilled) {
  const StartPlan planned = plan();
  StartOptions options;
  options.before_step = [&](std::size_t at) {
    if (at >= planned.host.size() || !std::holds_alternative<host::Spawn>(planned.host[at].action)) return;
    // The supervisor and, in the namespaces that it was asked for, the forerunner.
    ASSERT_TRUE(wait_for_companions(2));
    ASSERT_EQ(::kill(companions().front(), SIGKILL), 0);
    EXPECT_TRUE(wait_for_companions(0));
  };
  try {
    start_container(planned, options);
    ADD_FAILURE() << "started";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the supervisor was killed"));
  }
  EXPECT_THAT(companions(), IsEmpty());
}

TEST_F(SupervisorTest, SaysThatNamespacesAreUsedUp) {
  const std::string limit = "/proc/sys/user/max_net_namespaces";
  const std::string before(trim(read_file(AT_FDCWD, limit)));
  try {
    write_kernel_file(AT_FDCWD, limit, "0");
  } catch (const Error& error) {
    GTEST_SKIP() << "probe: " << error.what() << " (needs CAP_SYS_RESOURCE)";
  }
  UndoStack undo;
  undo.push(limit, [&] { write_kernel_file(AT_FDCWD, limit, before); });
  try {
    start();
    ADD_FAILURE() << "started";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENOSPC);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("cannot create the container's first process"),
                                    HasSubstr("max_*_namespaces")));
  }
  undo.run();
}

// The kernel writes to a process's restartable-sequences area when it moves it between processors.
TEST_F(SupervisorTest, SurvivesBeingScheduledAround) {
  run_as_init("trap 'echo x >> /tmp/got' USR2; touch /tmp/ready; while :; do sleep 0.02; done");
  start();
  ASSERT_TRUE(wait_for_file(rootfs() + "/tmp/ready"));
  const ContainerState running = state();
  for (int round = 0; round < 50; ++round) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(round) % static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_ONLN)),
            &one);
    ASSERT_EQ(::sched_setaffinity(running.supervisor.pid, sizeof one, &one), 0);
    ASSERT_EQ(::kill(running.supervisor.pid, SIGUSR2), 0);
    ::usleep(1000);
  }
  EXPECT_TRUE(wait_for_file(rootfs() + "/tmp/got"));
  EXPECT_TRUE(is_alive(running.supervisor));
}

TEST_F(SupervisorTest, PassesHangUpOnAsTermination) {
  run_as_init("trap 'touch /tmp/got; exit 0' TERM; touch /tmp/ready; while :; do sleep 0.05; done");
  start();
  ASSERT_TRUE(wait_for_file(rootfs() + "/tmp/ready"));
  ASSERT_EQ(::kill(state().supervisor.pid, SIGHUP), 0);
  EXPECT_TRUE(wait_for_file(rootfs() + "/tmp/got"));
  EXPECT_TRUE(wait_until_gone());
}

// All of it fits into no buffer; between two writers nobody has the console open.
TEST_F(SupervisorTest, DrainsAConsoleThatIsOpenedAgainAndAgain) {
  spec.console = true;
  run_as_init(
      "exec </dev/null >/dev/null 2>&1; i=0; while [ $i -lt 100 ]; do "
      "dd if=/dev/zero bs=1024 count=1 of=/dev/console 2>/dev/null; i=$((i + 1)); done; touch /tmp/done; "
      "sleep 1000");
  start();
  EXPECT_TRUE(wait_for_file(rootfs() + "/tmp/done"));
}

TEST_F(SupervisorTest, DrainsAFloodedConsole) {
  spec.console = true;
  // A hundred times what a terminal buffers.
  run_as_init("head -c 1000000 /dev/zero > /dev/console; touch /tmp/written; sleep 1000");
  start();
  EXPECT_TRUE(wait_for_file(rootfs() + "/tmp/written"));
}

TEST_F(SupervisorTest, TakesTheLinksWithItWhenInitEnds) {
  run_as_init("while [ ! -e /tmp/end ]; do sleep 0.02; done");
  spec.links = {veth_on(make_bridge())};
  start();
  EXPECT_TRUE(has_host_link());
  replace_file(AT_FDCWD, rootfs() + "/tmp/end", "", 0644);
  EXPECT_TRUE(wait_until_gone());
  EXPECT_FALSE(has_host_link());
}

TEST_F(SupervisorTest, StopLeavesNoLink) {
  spec.links = {veth_on(make_bridge())};
  start();
  kill_container(sysroot(), state());
  EXPECT_FALSE(has_host_link());
  EXPECT_FALSE(path_exists(AT_FDCWD, state_directory(sysroot(), vmid())));
}

TEST_F(SupervisorTest, StartsAgainAtOnceAfterAStop) {
  spec.links = {veth_on(make_bridge())};
  for (int round = 0; round < 30; ++round) {
    ASSERT_NO_THROW(start()) << "round " << round;
    kill_container(sysroot(), state());
    ASSERT_FALSE(has_host_link()) << "round " << round;
  }
}

TEST_F(SupervisorTest, StartsAgainAtOnceAfterItsSupervisorsDeath) {
  spec.links = {veth_on(make_bridge())};
  for (int round = 0; round < 10; ++round) {
    ASSERT_NO_THROW(start()) << "round " << round;
    const ContainerState running = state();
    ASSERT_EQ(::kill(running.supervisor.pid, SIGKILL), 0);
    kill_container(sysroot(), running);
  }
}

TEST(LinkRemoval, OfLinksThatAreNotThereIsDone) {
  if (::geteuid() != 0) GTEST_SKIP() << "probe: needs root";
  LinkRemoval removal({"hutch-no-link"});
  EXPECT_NO_THROW(removal.wait(std::chrono::milliseconds(0)));
}

// The deletion of the first takes long enough for the second's name to get to the next start's link.
TEST(LinkRemoval, LeavesALinkThatGotTheNameMeanwhile) {
  if (::geteuid() != 0) GTEST_SKIP() << "probe: needs root";
  const auto name = [](const char* end) { return formatted("hblr{}{}", ::getpid() % 1000000, end); };
  for (const auto* pair : {"a", "b"}) {
    run_checked({"ip", "link", "add", name(pair), "type", "veth", "peer", "name", name(pair) + "p"});
  }
  LinkRemoval removal({name("a"), name("b")});
  netlink::Socket socket;
  const auto old = netlink::find_link(socket, name("b"));
  if (old) {
    netlink::LinkChange renamed;
    renamed.name = name("x");
    netlink::change_link(socket, old->index, renamed);
  }
  run_checked({"ip", "link", "add", name("b"), "type", "veth", "peer", "name", name("bq")});
  removal.wait(std::chrono::seconds(10));
  for (int tries = 0; tries < 1000 && netlink::find_link(socket, name("x")); ++tries) ::usleep(10000);
  EXPECT_FALSE(netlink::find_link(socket, name("x")));
  EXPECT_TRUE(netlink::find_link(socket, name("b")));
  run_program({"ip", "link", "delete", name("b")});
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

TEST(LinkRemoval, TellsWhatTheKernelHadAgainstIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "probe: needs root";
  LinkRemoval removal({"lo"});  // cannot be deleted
  try {
    removal.wait(std::chrono::seconds(10));
    ADD_FAILURE() << "lo is gone";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EOPNOTSUPP) << error.what();
    EXPECT_THAT(error.what(), ::testing::HasSubstr("lo"));
  }
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

}  // namespace
}  // namespace hutch::kernel_test
