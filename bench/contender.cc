#include "bench/contender.h"

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/format.h"

namespace hutch::bench {

namespace fs = std::filesystem;

namespace {

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw_errno(formatted("cannot write '{}'", path.string()));
}

// /etc/pve/nodes/<node>: the host name up to its first dot.
std::string node_name() {
  utsname names = {};
  check(uname(&names), "cannot read the host name");
  const std::string name = names.nodename;
  return name.substr(0, name.find('.'));
}

bool unified_cgroups() {
  return fs::exists("/sys/fs/cgroup/cgroup.controllers");
}

std::string pct_config(const Arena& arena) {
  return formatted(
      "arch: {}\n"
      "console: 0\n"
      "cores: 1\n"
      "cpulimit: 0.5\n"
      "hostname: bench\n"
      "memory: 512\n"
      "net0: name=eth0,bridge={},hwaddr=BC:24:11:12:34:56,type=veth\n"
      "ostype: unmanaged\n"
      "rootfs: local:{}/subvol-{}-disk-0.subvol,size=0\n"
      "swap: 0\n"
      "tty: 0\n"
      "unprivileged: 1\n"
      "lxc.cgroup2.pids.max: 4096\n"
      "lxc.init.cmd: /bin/sleep 1000\n",
#if defined(__aarch64__)
      "arm64",
#else
      "amd64",
#endif
      arena.bridge, arena.vmid, arena.vmid);
}

std::string lxc_limits() {
  if (unified_cgroups()) {
    return "lxc.cgroup2.memory.max = 536870912\nlxc.cgroup2.cpu.max = 50000 100000\n"
           "lxc.cgroup2.pids.max = 4096\nlxc.cgroup2.cpuset.cpus = 0\n";
  }
  return "lxc.cgroup.memory.limit_in_bytes = 536870912\nlxc.cgroup.cpu.cfs_quota_us = 50000\n"
         "lxc.cgroup.pids.max = 4096\nlxc.cgroup.cpuset.cpus = 0\n";
}

std::string lxc_config(const Arena& arena) {
  return formatted(
             "lxc.uts.name = bench\n"
             "lxc.rootfs.path = dir:{}\n"
             "lxc.idmap = u 0 {} {}\n"
             "lxc.idmap = g 0 {} {}\n"
             "lxc.net.0.type = veth\n"
             "lxc.net.0.link = {}\n"
             "lxc.net.0.name = eth0\n"
             "lxc.mount.auto = proc:mixed sys:ro\n"
             "lxc.tty.max = 0\n"
             "lxc.console.path = none\n"
             "lxc.cap.drop = mac_admin mac_override sys_time sys_module sys_rawio\n"
             "lxc.seccomp.profile = {}/policy\n"
             "lxc.init.cmd = /bin/sleep 1000\n",
             arena.rootfs, kFirstHostId, kIdCount, kFirstHostId, kIdCount, arena.bridge, arena.scratch) +
         lxc_limits();
}

constexpr const char* kPolicy =
    "2\ndenylist\nreject_force_umount\n[all]\nkexec_load errno 1\nopen_by_handle_at errno 1\n"
    "init_module errno 1\nfinit_module errno 1\ndelete_module errno 1\nkeyctl errno 38\n"
    "ioctl errno 1 [1,0x9400,SCMP_CMP_MASKED_EQ,0xff00]\nsocket errno 97 [0,38,SCMP_CMP_EQ]\n";

// config.json of the OCI runtime specification, 1.0; no limits and no link: crun makes neither here.
std::string oci_config(const Arena& arena) {
  return formatted(
      R"({{"ociVersion":"1.0.0","hostname":"bench","root":{{"path":"{}"}},
"process":{{"cwd":"/","args":["/bin/sleep","1000"],"env":["container=oci"],"user":{{"uid":0,"gid":0}},
 "noNewPrivileges":false}},
"mounts":[{{"destination":"/proc","type":"proc","source":"proc"}},
 {{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755","size=65536k"]}},
 {{"destination":"/dev/pts","type":"devpts","source":"devpts",
   "options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]}},
 {{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]}}],
"linux":{{"uidMappings":[{{"containerID":0,"hostID":{},"size":{}}}],
 "gidMappings":[{{"containerID":0,"hostID":{},"size":{}}}],
 "namespaces":[{{"type":"pid"}},{{"type":"ipc"}},{{"type":"uts"}},{{"type":"mount"}},{{"type":"user"}},
  {{"type":"network"}},{{"type":"cgroup"}}],
 "maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/sys","/proc/sysrq-trigger"],
 "seccomp":{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":["kexec_load","open_by_handle_at",
  "init_module","finit_module","delete_module","keyctl"],"action":"SCMP_ACT_ERRNO"}}]}}}}}})",
      arena.rootfs, kFirstHostId, kIdCount, kFirstHostId, kIdCount);
}

}  // namespace

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string candidate = directory + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

std::vector<std::string> pivot_cgroups() {
  std::vector<std::string> found;
  std::vector<fs::path> roots = {"/sys/fs/cgroup"};
  for (const auto& entry : fs::directory_iterator("/sys/fs/cgroup")) {
    if (entry.is_directory() && !entry.is_symlink()) roots.push_back(entry.path());
  }
  for (const auto& root : roots) {
    if (fs::is_directory(root / "lxc.pivot")) found.push_back(root / "lxc.pivot");
  }
  return found;
}

void remove_new_pivot_cgroups(const std::vector<std::string>& before) {
  for (const auto& path : pivot_cgroups()) {
    if (std::find(before.begin(), before.end(), path) != before.end()) continue;
    check(rmdir(path.c_str()), formatted("cannot remove cgroup '{}'", path));
  }
}

void make_rootfs(const Arena& arena) {
  const std::string busybox = find_program("busybox");
  if (busybox.empty())
    throw Error("cannot make the rootfs: busybox is not installed", 0, "install busybox-static");
  const fs::path root = arena.rootfs;
  for (const char* directory : {"bin", "sbin", "dev", "proc", "sys", "sys/fs", "tmp", "run", "etc", "root"}) {
    fs::create_directories(root / directory);
  }
  fs::copy_file(busybox, root / "bin/busybox");
  fs::create_symlink("/bin/busybox", root / "bin/sleep");
  fs::create_symlink("/bin/busybox", root / "bin/sh");
  fs::create_symlink("/bin/busybox", root / "sbin/init");
  check(lchown(root.c_str(), kFirstHostId, kFirstHostId), "cannot give the rootfs to the container");
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    check(lchown(entry.path().c_str(), kFirstHostId, kFirstHostId),
          "cannot give the rootfs to the container");
  }
}

Contender floor_contender(const Arena& arena, const std::string& program) {
  const std::string name = std::to_string(arena.vmid);
  return {"floor", {program, "start", name, arena.rootfs, arena.bridge}, {program, "stop", name}, {}, "-"};
}

Contender pct_contender(const Arena& arena, const std::string& program) {
  const std::string vmid = std::to_string(arena.vmid);
  const fs::path node = fs::path(arena.scratch) / "etc/pve/nodes" / node_name();
  write_text(node / "lxc" / (vmid + ".conf"), pct_config(arena));
  return {"pct start",
          {program, "start", vmid},
          {program, "stop", vmid},
          {{"HUTCH_ROOT", arena.scratch}},
          "nothing (adds supervisor, locks, state)"};
}

Contender lxc_contender(const Arena& arena, const std::string& program) {
  const std::string name = formatted("hutch-bench-{}", arena.vmid);
  const std::string path = arena.scratch + "/lxc";
  fs::create_directories(path + "/" + name);
  write_text(arena.scratch + "/policy", kPolicy);
  write_text(path + "/" + name + "/config", lxc_config(arena));
  return {"lxc-start",
          {program, "-P", path, "-n", name},
          {find_program("lxc-stop"), "-P", path, "-n", name, "-k"},
          {},
          "nothing (adds a monitor process)",
          false,
          false};
}

Contender crun_contender(const Arena& arena, const std::string& program) {
  const std::string name = formatted("hutch-bench-{}", arena.vmid);
  const std::string bundle = arena.scratch + "/bundle";
  const std::string state = arena.scratch + "/crun";
  fs::create_directories(state);
  write_text(bundle + "/config.json", oci_config(arena));
  return {"crun run -d",
          {program, "--root", state, "--cgroup-manager", "disabled", "run", "-d", "-b", bundle, name},
          {program, "--root", state, "--cgroup-manager", "disabled", "delete", "-f", name},
          {},
          "veth, cgroups and limits",
          false,
          !unified_cgroups()};
}

}  // namespace hutch::bench
