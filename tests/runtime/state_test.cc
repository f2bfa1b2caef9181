#include "runtime/state.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "tests/base/scratch_directory.h"

namespace hutch {
namespace {

TEST(ContainerState, SurvivesPrintingAndParsing) {
  ContainerState state;
  state.vmid = 100;
  state.init = {4711, 99};
  state.supervisor = {4710, 98};
  state.cgroup = "lxc/100";
  state.host_links = {"veth100i0", "veth100i1"};
  state.dropped_capabilities = 0xffff0000ffff0000ULL;
  state.no_new_privs = true;
  state.seccomp = true;
  state.apparmor_label = "lxc-100_</var/lib/lxc>";
  state.init_uid = 1000;
  state.resource_limits = {"7 1024 18446744073709551615", "4 0 0"};
  state.environment = {"container=lxc", "TEXT=with blanks = and signs", "EMPTY="};
  state.halt_signal = 37;
  EXPECT_EQ(parse_state(print_state(state), "state"), state);
}

TEST(ContainerState, RareThingsArePrintedOnlyWhereTheyAre) {
  ContainerState state;
  const std::string plain = print_state(state);
  for (const auto* word : {"cgroup-inner", "monitor", "selinux", "keyring", "core", "ephemeral", "notify"}) {
    EXPECT_EQ(plain.find(word), std::string::npos) << word;
  }
  state.cgroup_inner = "procs";
  state.cgroup_monitor = "lxc.monitor/100";
  state.cgroup_monitor_pivot = "p";
  state.selinux_context = "a:b:c";
  state.shares_keyring = state.core_scheduling = state.ephemeral = true;
  state.notify_proxies = {"/run/a", "@b"};
  state.notify_cookie = "a cookie";
  EXPECT_EQ(parse_state(print_state(state), "state"), state);
  EXPECT_EQ(state.inner_group(), "procs");
  EXPECT_EQ(ContainerState().inner_group(), "ns");
}

TEST(ContainerState, AnUnknownRecordIsAnErrorWithItsLine) {
  try {
    parse_state("vmid 100\nflavour sweet\n", "state");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.origin().text(), "state:2");
  }
  EXPECT_THROW(parse_state("init 12\n", "state"), Error);
}

class StateDirectory : public ScratchDirectory {
 protected:
  Sysroot root() const { return Sysroot(below("root")); }
  std::string directory() const { return state_directory(root(), 100); }
};

TEST_F(StateDirectory, IsRemovedWithWhatAKilledRemovalHasLeft) {
  make_directories(directory() + "/added");
  make_directories(below("root/run/hutch/.100/added"));
  remove_state_directory(root(), 100);
  EXPECT_TRUE(list_directory(below("root/run/hutch")).empty());
  make_directories(below("root/run/hutch/.100/added"));
  remove_state_directory(root(), 100);
  EXPECT_TRUE(list_directory(below("root/run/hutch")).empty());
}

TEST_F(StateDirectory, IsNeverFoundWithoutItsRecord) {
  make_directories(below("root/run/hutch"));
  std::atomic<bool> done = false;
  std::thread other([&] {
    for (int round = 0; round < 2000; ++round) {
      make_directories(below("fresh/added"));
      write("fresh/state", "x");
      check(::rename(below("fresh").c_str(), directory().c_str()), "cannot rename");
      remove_state_directory(root(), 100);
    }
    done = true;
  });
  int found = 0;
  while (!done) {
    const auto here = open_if_exists(AT_FDCWD, directory(), O_PATH | O_DIRECTORY);
    struct stat opened {};
    struct stat named {};
    if (!here || path_exists(here->get(), "state")) continue;
    // Without a record it has this name no more.
    if (::fstat(here->get(), &opened) != 0 || ::stat(directory().c_str(), &named) != 0) continue;
    if (opened.st_ino == named.st_ino) ++found;
  }
  other.join();
  EXPECT_EQ(found, 0);
}

TEST(ProcessIdentity, NamesLivingProcessesOnly) {
  const auto self = identify_process(::getpid());
  ASSERT_TRUE(self);
  EXPECT_TRUE(is_alive(*self));
  EXPECT_FALSE(is_ending(*self));
  EXPECT_TRUE(open_process(*self));
  EXPECT_FALSE(is_alive({self->pid, self->start_time + 1})) << "a later process with the same pid";
  EXPECT_FALSE(open_process({self->pid, self->start_time + 1}));
  EXPECT_TRUE(is_ending({self->pid, self->start_time + 1}));
  EXPECT_FALSE(open_process({}));
}

TEST(ProcessIdentity, AZombieIsNotAlive) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(identify_process(pid));
  ::waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace hutch
