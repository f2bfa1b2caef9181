#include "base/format.h"
#include "bench/contender.h"

namespace hutch::bench {

namespace {

constexpr const char* kPolicy =
    "2\ndenylist\nreject_force_umount\n[all]\nkexec_load errno 1\nopen_by_handle_at errno 1\n"
    "init_module errno 1\nfinit_module errno 1\ndelete_module errno 1\nkeyctl errno 38\n"
    "ioctl errno 1 [1,0x9400,SCMP_CMP_MASKED_EQ,0xff00]\nsocket errno 97 [0,38,SCMP_CMP_EQ]\n";

std::string limits() {
  if (host_is_unified()) {
    return "lxc.cgroup2.memory.max = 536870912\nlxc.cgroup2.cpu.max = 50000 100000\n"
           "lxc.cgroup2.pids.max = 4096\nlxc.cgroup2.cpuset.cpus = 0\n";
  }
  return "lxc.cgroup.memory.limit_in_bytes = 536870912\nlxc.cgroup.cpu.cfs_quota_us = 50000\n"
         "lxc.cgroup.pids.max = 4096\nlxc.cgroup.cpuset.cpus = 0\n";
}

std::string rootfs_path(const Place& place) {
  if (!place.image.empty()) return "loop:" + place.image;
  if (!place.overlay.empty()) return formatted("overlay:{}/lower:{}/upper", place.overlay, place.overlay);
  return "dir:" + place.directory;
}

std::string configuration(const Arena& arena, const Variant& variant, const Place& place) {
  std::string text = formatted(
      "lxc.uts.name = bench\n"
      "lxc.rootfs.path = {}\n"
      "lxc.mount.auto = proc:mixed sys:ro\n"
      "lxc.tty.max = 0\n"
      "lxc.console.path = none\n"
      "lxc.cap.drop = mac_admin mac_override sys_time sys_module sys_rawio\n"
      "lxc.init.cmd = /bin/sleep 1000\n",
      rootfs_path(place));
  if (variant.network)
    text += formatted("lxc.net.0.type = veth\nlxc.net.0.link = {}\nlxc.net.0.name = eth0\n", arena.bridge);
  else
    text += "lxc.net.0.type = empty\n";
  if (!variant.privileged) {
    for (const char kind : {'u', 'g'})
      text += formatted("lxc.idmap = {} 0 {} {}\n", kind, kFirstHostId, kIdCount);
  }
  if (variant.seccomp) text += formatted("lxc.seccomp.profile = {}/policy\n", arena.scratch);
  if (variant.limits) text += limits();
  return text;
}

}  // namespace

Contender lxc_contender(const Arena& arena, const std::string& program, const Variant& variant,
                        unsigned index) {
  const Place place = make_place(arena, variant, index);
  const std::string name = container_name(place);
  const std::string path = arena.scratch + "/lxc";
  write_configuration(arena.scratch + "/policy", kPolicy);
  write_configuration(formatted("{}/{}/config", path, name), configuration(arena, variant, place));
  Contender contender;
  contender.tool = "lxc";
  contender.title = "lxc-start";
  contender.exec_title = "lxc-attach";
  contender.stop_title = "lxc-stop -k";
  contender.remark = "adds a monitor process";
  contender.start.argv = {program, "-P", path, "-n", name};
  contender.stop.argv = {find_program("lxc-stop"), "-P", path, "-n", name, "-k"};
  const std::string attach = find_program("lxc-attach");
  if (!attach.empty()) contender.exec.argv = {attach, "-P", path, "-n", name, "--", "/bin/true"};
  contender.stop_counts = true;
  return contender;
}

}  // namespace hutch::bench
