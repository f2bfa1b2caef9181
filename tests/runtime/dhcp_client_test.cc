#include "runtime/dhcp_client.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/link_plan.h"
#include "tests/base/error_of.h"

namespace hutch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(DhcpCommand, NamesItsFilesAfterFamilyAndInterface) {
  EXPECT_THAT(dhcp_command(Sysroot("/r"), 100, {AF_INET6, "eth0"}, false),
              ElementsAre("dhclient", "-6", "-1", "-nw", "-pf", "/r/var/lib/lxc/100/hook/dhclient6-eth0.pid",
                          "-lf", "/r/var/lib/lxc/100/hook/dhclient6-eth0.leases", "-sf",
                          "/r/var/lib/lxc/100/hook/dhclient-script", "eth0"));
  EXPECT_EQ(dhcp_command(Sysroot("/r"), 100, {AF_INET, "eth0"}, true)[2], "-r");
}

TEST(DhcpClient, IsAskedForByName) {
  LinkSpec link;
  link.name = "eth0";
  link.host_name = "veth100i0";
  link.dhcp4 = true;
  HostFacts facts;
  EXPECT_THAT(error_of([&] { check_link(link, facts); }), HasSubstr("needs the program 'dhclient'"));
  facts.dhcp_client = true;
  EXPECT_EQ(error_of([&] { check_link(link, facts); }), "");
}

// A process with a client's command line, as far as that counts, that writes no pid file.
pid_t start_client(const std::string& pid_file) {
  const pid_t pid = check(::fork(), "fork");
  if (pid == 0) {
    ::execlp("sh", "sh", "-c", "kill -STOP $$", "-pf", pid_file.c_str(), nullptr);
    ::_exit(1);
  }
  int status = 0;
  check(::waitpid(pid, &status, WUNTRACED), "waitpid");
  EXPECT_TRUE(WIFSTOPPED(status));
  return pid;
}

TEST(DhcpClient, IsEndedBeforeItHasWrittenItsPidFile) {
  if (::geteuid() != 0) GTEST_SKIP() << "probe: needs root";
  char root[] = "/tmp/hutch-dhcp-XXXXXX";
  ASSERT_NE(::mkdtemp(root), nullptr);
  const Sysroot sysroot(root);
  const std::string files = sysroot.path("var/lib/lxc/100/hook");
  make_directories(files);
  const pid_t ours = start_client(files + "/dhclient4-eth0.pid");
  const pid_t other = start_client(files + "/dhclient6-eth0.pid");
  kill_dhcp_client(sysroot, 100, {AF_INET, "eth0"});
  int status = 0;
  EXPECT_EQ(::waitpid(ours, &status, WNOHANG), ours);
  EXPECT_EQ(::waitpid(other, &status, WNOHANG), 0);
  ::kill(other, SIGKILL);
  ::waitpid(other, &status, 0);
  remove_tree(AT_FDCWD, root);
}

// Its memory, where the command line is, is not to be relied on.
TEST(DhcpClient, ProcessesOfContainersAreNotLookedAt) {
  if (::geteuid() != 0) GTEST_SKIP() << "probe: needs root";
  char root[] = "/tmp/hutch-dhcp-XXXXXX";
  ASSERT_NE(::mkdtemp(root), nullptr);
  const Sysroot sysroot(root);
  const std::string pid_file = sysroot.path("var/lib/lxc/100/hook") + "/dhclient4-eth0.pid";
  const pid_t pid = check(::fork(), "fork");
  if (pid == 0) {
    if (::unshare(CLONE_NEWUSER) < 0) ::_exit(1);
    start_client(pid_file);
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, WUNTRACED);
  EXPECT_TRUE(WIFSTOPPED(status));
  const std::string children = read_file(AT_FDCWD, formatted("/proc/{}/task/{}/children", pid, pid));
  const auto client = parse_unsigned(trim(children));
  ASSERT_TRUE(client);
  kill_dhcp_client(sysroot, 100, {AF_INET, "eth0"});
  EXPECT_THAT(read_file(AT_FDCWD, formatted("/proc/{}/stat", *client)), HasSubstr(") T "));
  ::kill(static_cast<pid_t>(*client), SIGKILL);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  remove_tree(AT_FDCWD, root);
}

// In a network of its own, with the variables that dhclient sets.
std::string run_script(const std::string& variables) {
  ProgramOptions options;
  options.input = dhcp_script();
  options.before_exec = [] { check(::unshare(CLONE_NEWNET), "cannot make a network namespace"); };
  return run_checked(
             {"sh", "-c",
              variables + " export interface; ip link add eth0 type veth peer name p; ip link set p up; "
                          "script=$(cat); sh -c \"$script\"; ip addr show eth0; ip route"},
             options)
      .out;
}

TEST(DhcpScript, SetsAddressAndRoute) {
  if (::geteuid() != 0) GTEST_SKIP() << "probe: needs root";
  const std::string up = run_script("export reason=PREINIT interface=eth0;");
  EXPECT_THAT(up, HasSubstr(",UP"));
  const std::string bound = run_script(
      "ip() { command ip \"$@\"; }; export reason=BOUND interface=eth0 new_ip_address=10.1.0.5 "
      "new_subnet_mask=255.255.255.0 new_broadcast_address=10.1.0.255 new_routers='10.1.0.1 10.1.0.2';");
  EXPECT_THAT(bound, HasSubstr("inet 10.1.0.5/24 brd 10.1.0.255"));
}

}  // namespace
}  // namespace hutch
