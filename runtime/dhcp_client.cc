#include "runtime/dhcp_client.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

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
  if (!path_exists(AT_FDCWD, file(sysroot, vmid, client, "pid"))) return;
  run_inside(init, dhcp_command(sysroot, vmid, client, true));
  kill_dhcp_client(sysroot, vmid, client);
}

void kill_dhcp_client(const Sysroot& sysroot, std::uint32_t vmid, const DhcpClient& client) {
  const std::string path = file(sysroot, vmid, client, "pid");
  const auto text = read_file_if_exists(AT_FDCWD, path);
  if (const auto pid = text ? parse_unsigned(trim(*text)) : std::nullopt) {
    const UniqueFd process(sys::pidfd_open(static_cast<pid_t>(*pid), 0));
    // Whether the number is still that client's: its command line names the file.
    const auto command = read_file_if_exists(AT_FDCWD, formatted("/proc/{}/cmdline", *pid));
    const bool ours = process && command && command->find(path) != std::string::npos;
    if (ours && sys::pidfd_send_signal(process.get(), SIGKILL) < 0 && errno != ESRCH) {
      throw_errno(formatted("cannot end the DHCP client {}", *pid));
    }
  }
  remove_files(sysroot, vmid, client);
}

}  // namespace hutch
