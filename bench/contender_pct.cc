#include <sys/utsname.h>

#include "base/error.h"
#include "base/format.h"
#include "bench/contender.h"

namespace hutch::bench {

namespace {

// /etc/pve/nodes/<node>: the host name up to its first dot.
std::string node_name() {
  utsname names = {};
  check(uname(&names), "cannot read the host name");
  const std::string name = names.nodename;
  return name.substr(0, name.find('.'));
}

constexpr const char* kLimits =
    "cores: 1\n"
    "cpulimit: 0.5\n"
    "memory: 512\n"
    "swap: 0\n"
    "lxc.cgroup2.pids.max: 4096\n";
// Takes away what a config without these lines has by default.
constexpr const char* kNoLimits =
    "lxc.cgroup2.memory.max:\n"
    "lxc.cgroup2.memory.high:\n"
    "lxc.cgroup2.memory.swap.max:\n";

std::string rootfs_line(const Place& place) {
  const unsigned vmid = place.vmid;
  if (!place.overlay.empty())
    return formatted("lxc.rootfs.path: overlay:{}/lower:{}/upper\n", place.overlay, place.overlay);
  if (!place.image.empty()) return formatted("rootfs: local:{}/vm-{}-disk-0.raw,size=64M\n", vmid, vmid);
  return formatted("rootfs: local:{}/subvol-{}-disk-0.subvol,size=0\n", vmid, vmid);
}

}  // namespace

std::string pct_config_path(const Arena& arena, unsigned vmid) {
  return formatted("{}/etc/pve/nodes/{}/lxc/{}.conf", arena.scratch, node_name(), vmid);
}

Command pct_command(const Arena& arena, const std::string& program, std::vector<std::string> words) {
  Command command;
  command.argv = {program};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.environment = {{"HUTCH_ROOT", arena.scratch}};
  return command;
}

std::string pct_config_body(const Arena& arena, const Variant& variant) {
#if defined(__aarch64__)
  std::string text = "arch: arm64\n";
#else
  std::string text = "arch: amd64\n";
#endif
  text += "console: 0\nhostname: bench\nostype: unmanaged\ntty: 0\nlxc.init.cmd: /bin/sleep 1000\n";
  text += formatted("unprivileged: {}\n", variant.privileged ? 0 : 1);
  if (variant.network)
    text += formatted("net0: name=eth0,bridge={},hwaddr=BC:24:11:12:34:56,type=veth\n", arena.bridge);
  text += variant.limits ? kLimits : kNoLimits;
  if (!variant.seccomp) text += "lxc.seccomp.profile:\n";
  return text;
}

Contender pct_contender(const Arena& arena, const std::string& program, const Variant& variant,
                        unsigned index) {
  Contender contender;
  contender.tool = "pct";
  contender.title = "pct start";
  contender.exec_title = "pct exec";
  contender.stop_title = "pct stop";
  const Place place = make_place(arena, variant, index);
  const std::string vmid = std::to_string(place.vmid);
  write_configuration(pct_config_path(arena, place.vmid),
                      pct_config_body(arena, variant) + rootfs_line(place));
  contender.remark = "adds supervisor, locks, state, device filter";
  contender.start = pct_command(arena, program, {"start", vmid});
  contender.stop = pct_command(arena, program, {"stop", vmid});
  contender.exec = pct_command(arena, program, {"exec", vmid, "--", "/bin/true"});
  contender.stop_counts = true;
  return contender;
}

}  // namespace hutch::bench
