#include "runtime/dhcp_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "runtime/state.h"

namespace hutch {

namespace {

constexpr const char* kProgram = "dhclient";
// SIGKILL needs longer only in a process that hangs in the kernel.
constexpr int kEndTimeoutMs = 2000;

std::string directory(const Sysroot& sysroot, std::uint32_t vmid) {
  return sysroot.path(formatted("var/lib/lxc/{}/hook", vmid));
}

std::string file(const Sysroot& sysroot, std::uint32_t vmid, const DhcpClient& client, const char* ending) {
  return formatted("{}/{}{}-{}.{}", directory(sysroot, vmid), kProgram, client.family == AF_INET ? 4 : 6,
                   client.interface, ending);
}

std::string script_path(const Sysroot& sysroot, std::uint32_t vmid) {
  return directory(sysroot, vmid) + "/dhclient-script";
}

void run_inside(const ProcessIdentity& init, const std::vector<std::string>& command) {
  const UniqueFd net = open_file(AT_FDCWD, formatted("/proc/{}/ns/net", init.pid), O_RDONLY);
  const UniqueFd uts = open_file(AT_FDCWD, formatted("/proc/{}/ns/uts", init.pid), O_RDONLY);
  // The number may have become another process's before they were opened.
  if (!is_alive(init)) throw Error("the container's first process is gone", ESRCH);
  ProgramOptions options;
  options.until_exit = true;
  options.before_exec = [&] {
    check(::setns(net.get(), CLONE_NEWNET), "cannot enter the container's network namespace");
    check(::setns(uts.get(), CLONE_NEWUTS), "cannot enter the container's UTS namespace");
    // A start with hooks has some blocked.
    sigset_t none;
    ::sigemptyset(&none);
    check(::sigprocmask(SIG_SETMASK, &none, nullptr), "cannot unblock signals");
  };
  run_checked(command, options);
}

// Whether a process lives in these of our own namespaces, which nobody in a container does. One that we may
// not look at was not started by us.
bool is_of_the_host(const std::string& process) {
  for (const char* kind : {"pid", "user"}) {
    struct stat own {};
    struct stat theirs {};
    check(::stat(formatted("/proc/self/ns/{}", kind).c_str(), &own), "cannot look at our own namespaces");
    if (::stat(formatted("{}/ns/{}", process, kind).c_str(), &theirs) < 0) return false;
    if (own.st_dev != theirs.st_dev || own.st_ino != theirs.st_ino) return false;
  }
  return true;
}

// The processes of the client whose command line names that pid file. The file itself may be missing: the
// client writes it some time after it has left its starter. Processes of containers are not asked for theirs:
// a read of it can be made to hang, as it comes out of their memory.
std::vector<UniqueFd> clients_with(const std::string& pid_file) {
  std::vector<UniqueFd> clients;
  for (const auto& name : list_directory("/proc")) {
    const auto pid = parse_unsigned(name);
    if (!pid) continue;
    // Before the rest: should the number be another's by then, this descriptor is not.
    UniqueFd process(sys::pidfd_open(static_cast<pid_t>(*pid), 0));
    const std::string directory = "/proc/" + name;
    if (!process || !is_of_the_host(directory)) continue;
    const auto command = read_file_if_exists(AT_FDCWD, directory + "/cmdline");
    if (!command) continue;
    const auto words = split(*command, '\0');
    const auto option = std::find(words.begin(), words.end(), "-pf");
    if (option != words.end() && option + 1 != words.end() && option[1] == pid_file) {
      clients.push_back(std::move(process));
    }
  }
  return clients;
}

void end_process(const UniqueFd& process) {
  if (sys::pidfd_send_signal(process.get(), SIGKILL) < 0) {
    if (errno == ESRCH) return;
    throw_errno("cannot end a DHCP client");
  }
  // Until it is gone it may still be writing its files.
  pollfd end{process.get(), POLLIN, 0};
  int ended = 0;
  while ((ended = ::poll(&end, 1, kEndTimeoutMs)) < 0 && errno == EINTR) {
  }
  if (check(ended, "cannot wait for a DHCP client's end") == 0) {
    throw Error("a DHCP client has been killed and does not end", ETIMEDOUT,
                "see what the host's storage hangs on");
  }
}

void remove_files(const Sysroot& sysroot, std::uint32_t vmid, const DhcpClient& client) {
  for (const char* ending : {"pid", "leases"}) {
    const std::string path = file(sysroot, vmid, client, ending);
    if (::unlink(path.c_str()) < 0 && errno != ENOENT) throw_errno(formatted("cannot remove '{}'", path));
  }
  // The last one takes the directory along.
  const std::string where = directory(sysroot, vmid);
  const auto left = list_directory(where);
  if (left.size() == 1 && left.front() == "dhclient-script") remove_tree(AT_FDCWD, where);
}

}  // namespace

bool has_dhcp_client() {
  return has_program(kProgram);
}

std::vector<std::string> dhcp_command(const Sysroot& sysroot, std::uint32_t vmid, const DhcpClient& client,
                                      bool release) {
  std::vector<std::string> command = {kProgram, client.family == AF_INET ? "-4" : "-6"};
  if (release) {
    command.emplace_back("-r");
  } else {
    command.insert(command.end(), {"-1", "-nw"});
  }
  for (const auto& word : {std::string("-pf"), file(sysroot, vmid, client, "pid"), std::string("-lf"),
                           file(sysroot, vmid, client, "leases"), std::string("-sf"),
                           script_path(sysroot, vmid), client.interface}) {
    command.push_back(word);
  }
  return command;
}

std::string dhcp_script() {
  return R"(#!/bin/sh
# dhclient-script(8) for an interface of a container: addresses and routes, no files.
add_default() {
  for router in $new_routers; do
    ip route replace default via "$router" dev "$interface" && return
    ip route replace "$router" dev "$interface" && ip route replace default via "$router" dev "$interface" && return
  done
}
case $reason in
PREINIT | PREINIT6)
  ip link set "$interface" up
  ;;
BOUND | RENEW | REBIND | REBOOT)
  if [ -n "$old_ip_address" ] && [ "$old_ip_address" != "$new_ip_address" ]; then
    ip -4 addr flush dev "$interface"
  fi
  ip -4 addr replace "$new_ip_address/$new_subnet_mask" ${new_broadcast_address:+broadcast "$new_broadcast_address"} dev "$interface"
  add_default
  ;;
BOUND6 | RENEW6 | REBIND6)
  ip -6 addr replace "$new_ip6_address/$new_ip6_prefixlen" dev "$interface"
  ;;
EXPIRE | FAIL | RELEASE | STOP)
  ip -4 addr flush dev "$interface"
  ;;
EXPIRE6 | RELEASE6 | STOP6)
  [ -z "$old_ip6_address" ] || ip -6 addr delete "$old_ip6_address/$old_ip6_prefixlen" dev "$interface"
  ;;
esac
exit 0
)";
}

void start_dhcp_client(const Sysroot& sysroot, std::uint32_t vmid, const ProcessIdentity& init,
                       const DhcpClient& client) {
  make_directories(directory(sysroot, vmid), 0755);
  replace_file(AT_FDCWD, script_path(sysroot, vmid), dhcp_script(), 0755);
  run_inside(init, dhcp_command(sysroot, vmid, client, false));
}

void release_dhcp_client(const Sysroot& sysroot, std::uint32_t vmid, const ProcessIdentity& init,
                         const DhcpClient& client) {
  // Without it the client has only just begun and has no lease.
  if (path_exists(AT_FDCWD, file(sysroot, vmid, client, "pid"))) {
    run_inside(init, dhcp_command(sysroot, vmid, client, true));
  }
  kill_dhcp_client(sysroot, vmid, client);
}

void kill_dhcp_client(const Sysroot& sysroot, std::uint32_t vmid, const DhcpClient& client) {
  const std::string pid_file = file(sysroot, vmid, client, "pid");
  // One that is killed while it leaves its starter may have made the next one already.
  for (auto found = clients_with(pid_file); !found.empty(); found = clients_with(pid_file)) {
    for (const auto& process : found) end_process(process);
  }
  remove_files(sysroot, vmid, client);
}

}  // namespace hutch
