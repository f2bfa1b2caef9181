#include "config/raw_keys.h"

#include <algorithm>

namespace hutch::config {

namespace {

using enum RawKeyClass;

// Sorted by name.
constexpr RawKey kKeys[] = {
    {"lxc.aa_allow_incomplete", renamed, "lxc.apparmor.allow_incomplete"},
    {"lxc.aa_profile", renamed, "lxc.apparmor.profile"},
    {"lxc.apparmor.allow_incomplete", accepted},
    {"lxc.apparmor.allow_nesting", accepted},
    {"lxc.apparmor.profile", accepted},
    {"lxc.apparmor.raw", accepted},
    {"lxc.arch", accepted},
    {"lxc.autodev", accepted},
    {"lxc.autodev.tmpfs.size", extension},
    {"lxc.cap.drop", accepted},
    {"lxc.cap.keep", accepted},
    {"lxc.cgroup.dir", extension},
    {"lxc.cgroup.dir.container", extension},
    {"lxc.cgroup.dir.container.inner", extension},
    {"lxc.cgroup.dir.monitor", extension},
    {"lxc.cgroup.dir.monitor.pivot", extension},
    {"lxc.cgroup.relative", extension},
    {"lxc.cgroup2", extension},
    {"lxc.chroot", renamed, "lxc.rootfs.path"},
    {"lxc.console", renamed, "lxc.console.path"},
    {"lxc.console.buffer.size", extension},
    {"lxc.console.logfile", accepted},
    {"lxc.console.path", accepted},
    {"lxc.console.rotate", extension},
    {"lxc.console.size", extension},
    {"lxc.devtty.dir", accepted},
    {"lxc.devttydir", renamed, "lxc.tty.dir"},
    {"lxc.environment", accepted},
    {"lxc.environment.hooks", accepted},
    {"lxc.environment.runtime", accepted},
    {"lxc.ephemeral", extension},
    {"lxc.execute.cmd", extension},
    {"lxc.group", accepted},
    {"lxc.haltsignal", renamed, "lxc.signal.halt"},
    {"lxc.hook", extension},
    {"lxc.hook.autodev", accepted},
    {"lxc.hook.clone", accepted},
    {"lxc.hook.destroy", accepted},
    {"lxc.hook.mount", accepted},
    {"lxc.hook.post-stop", accepted},
    {"lxc.hook.pre-mount", accepted},
    {"lxc.hook.pre-start", accepted},
    {"lxc.hook.start", accepted},
    {"lxc.hook.start-host", extension},
    {"lxc.hook.stop", accepted},
    {"lxc.hook.version", accepted},
    {"lxc.id_map", renamed, "lxc.idmap"},
    {"lxc.idmap", accepted},
    {"lxc.include", accepted},
    {"lxc.init.cmd", accepted},
    {"lxc.init.cwd", accepted},
    {"lxc.init.gid", accepted},
    {"lxc.init.groups", accepted},
    {"lxc.init.uid", accepted},
    {"lxc.init_cmd", renamed, "lxc.init.cmd"},
    {"lxc.init_gid", renamed, "lxc.init.gid"},
    {"lxc.init_uid", renamed, "lxc.init.uid"},
    {"lxc.keyring.session", extension},
    {"lxc.kmsg", accepted},
    {"lxc.log.file", accepted},
    {"lxc.log.level", accepted},
    {"lxc.log.syslog", extension},
    {"lxc.logfile", renamed, "lxc.log.file"},
    {"lxc.loglevel", renamed, "lxc.log.level"},
    {"lxc.monitor.signal.pdeath", extension},
    {"lxc.monitor.unshare", extension},
    {"lxc.mount", renamed, "lxc.mount.fstab"},
    {"lxc.mount.auto", accepted},
    {"lxc.mount.entry", accepted},
    {"lxc.mount.fstab", accepted},
    {"lxc.namespace.clone", extension},
    {"lxc.namespace.keep", extension},
    {"lxc.net", extension},
    {"lxc.network", renamed, "lxc.net"},
    {"lxc.no_new_privs", extension},
    {"lxc.pivotdir", obsolete},
    {"lxc.prlimit", extension},
    {"lxc.proc", extension},
    {"lxc.pts", renamed, "lxc.pty.max"},
    {"lxc.pty.max", accepted},
    {"lxc.rebootsignal", renamed, "lxc.signal.reboot"},
    {"lxc.rootfs", renamed, "lxc.rootfs.path"},
    {"lxc.rootfs.backend", obsolete},
    {"lxc.rootfs.managed", extension},
    {"lxc.rootfs.mount", accepted},
    {"lxc.rootfs.options", replaced},
    {"lxc.rootfs.path", replaced},
    {"lxc.sched.core", extension},
    {"lxc.se_context", renamed, "lxc.selinux.context"},
    {"lxc.seccomp", renamed, "lxc.seccomp.profile"},
    {"lxc.seccomp.allow_nesting", extension},
    {"lxc.seccomp.notify.cookie", accepted},
    {"lxc.seccomp.notify.proxy", accepted},
    {"lxc.seccomp.profile", accepted},
    {"lxc.selinux.context", accepted},
    {"lxc.selinux.context.keyring", extension},
    {"lxc.signal.halt", accepted},
    {"lxc.signal.reboot", accepted},
    {"lxc.signal.stop", accepted},
    {"lxc.start.auto", accepted},
    {"lxc.start.delay", accepted},
    {"lxc.start.order", accepted},
    {"lxc.start.unshare", renamed, "lxc.monitor.unshare"},
    {"lxc.stopsignal", renamed, "lxc.signal.stop"},
    {"lxc.sysctl", extension},
    {"lxc.sysctl.fs.mqueue", accepted},
    {"lxc.sysctl.kernel.msgmax", accepted},
    {"lxc.sysctl.kernel.msgmnb", accepted},
    {"lxc.sysctl.kernel.msgmni", accepted},
    {"lxc.sysctl.kernel.sem", accepted},
    {"lxc.sysctl.kernel.shm_rmid_forced", accepted},
    {"lxc.sysctl.kernel.shmall", accepted},
    {"lxc.sysctl.kernel.shmmax", accepted},
    {"lxc.sysctl.kernel.shmmni", accepted},
    {"lxc.syslog", renamed, "lxc.log.syslog"},
    {"lxc.time.offset.boot", extension},
    {"lxc.time.offset.monotonic", extension},
    {"lxc.tty", renamed, "lxc.tty.max"},
    {"lxc.tty.dir", extension},
    {"lxc.tty.max", accepted},
    {"lxc.uts.name", accepted},
    {"lxc.utsname", renamed, "lxc.uts.name"},
};

constexpr bool keys_are_sorted() {
  for (std::size_t i = 1; i < std::size(kKeys); ++i) {
    if (kKeys[i - 1].name >= kKeys[i].name) return false;
  }
  return true;
}
static_assert(keys_are_sorted(), "raw_key_info searches by halving");

constexpr RawKey kPrefixes[] = {
    {"lxc.cgroup2.", accepted},
    {"lxc.prlimit.", accepted},
    {"lxc.net.", accepted},
    {"lxc.namespace.share.", extension},
    {"lxc.proc.", extension},
    {"lxc.sysctl.", extension},
    {"lxc.cgroup.", cgroup_v1},
    {"lxc.limit.", renamed, "lxc.prlimit."},
    // The index of `lxc.net.<n>` was given by the order of the lines.
    {"lxc.network.", renamed, "lxc.net.<n>."},
};

}  // namespace

std::span<const RawKey> raw_keys() {
  return kKeys;
}

std::span<const RawKey> raw_key_prefixes() {
  return kPrefixes;
}

RawKeyInfo raw_key_info(std::string_view key) {
  const auto found =
      std::lower_bound(std::begin(kKeys), std::end(kKeys), key,
                       [](const RawKey& named, std::string_view name) { return named.name < name; });
  if (found != std::end(kKeys) && found->name == key) return {found->key_class, std::string(found->current)};
  for (const auto& prefix : kPrefixes) {
    if (!key.starts_with(prefix.name) || key.size() == prefix.name.size()) continue;
    std::string current;
    if (!prefix.current.empty()) current = std::string(prefix.current) += key.substr(prefix.name.size());
    return {prefix.key_class, current};
  }
  return {};
}

}  // namespace hutch::config
