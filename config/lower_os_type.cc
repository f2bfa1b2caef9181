#include <algorithm>

#include "config/lowering.h"

namespace hutch::config {

namespace {

// A service manager of these expects a tmpfs there although they do not mount it themselves.
constexpr std::string_view kGentooMounts = "shm dev/shm tmpfs rw,nosuid,nodev,create=dir 0 0";
constexpr std::string_view kAlpineMounts =
    "run run tmpfs rw,nodev,relatime,mode=755,create=dir 0 0\n"
    "shm dev/shm tmpfs nodev,noexec,nosuid,mode=1777,create=dir 0 0";
constexpr std::string_view kUbuntuMounts =
    "/sys/kernel/debug sys/kernel/debug none bind,optional 0 0\n"
    "/sys/kernel/security sys/kernel/security none bind,optional 0 0\n"
    "/sys/fs/pstore sys/fs/pstore none bind,optional 0 0\n"
    "mqueue dev/mqueue mqueue rw,relatime,create=dir,optional 0 0";
constexpr std::string_view kUbuntuUsernsMounts =
    "/sys/firmware/efi/efivars sys/firmware/efi/efivars none bind,optional 0 0\n"
    "/proc/sys/fs/binfmt_misc proc/sys/fs/binfmt_misc none bind,optional 0 0";

constexpr OsTypeDefaults kOsTypes[] = {
    {.name = "alpine",
     .tty_directory = "",
     .dropped =
         "audit_write ipc_owner mknod sys_nice sys_pacct sys_resource sys_tty_config syslog wake_alarm",
     .mounts = kAlpineMounts},
    {.name = "archlinux",
     .tty_directory = "lxc",
     .dropped = "setfcap sys_nice sys_pacct",
     .halt_signal = "SIGRTMIN+4"},
    {.name = "centos", .tty_directory = "lxc", .dropped = "sys_nice sys_pacct"},
    {.name = "debian", .tty_directory = "", .dropped = "", .clock_and_kvm_devices = true},
    {.name = "devuan", .tty_directory = "", .dropped = "", .clock_and_kvm_devices = true},
    {.name = "fedora", .tty_directory = "lxc", .dropped = "setfcap sys_nice sys_pacct"},
    {.name = "gentoo",
     .tty_directory = "",
     .dropped = "",
     .clock_and_kvm_devices = true,
     .mounts = kGentooMounts},
    {.name = "nixos", .tty_directory = "lxc", .dropped = ""},
    // Written by the detection, although the option does not offer it.
    {.name = "openeuler", .tty_directory = "lxc", .dropped = ""},
    {.name = "opensuse", .tty_directory = "lxc", .dropped = "sys_nice sys_pacct"},
    {.name = "ubuntu",
     .tty_directory = "lxc",
     .dropped = "",
     .clock_and_kvm_devices = true,
     .mounts = kUbuntuMounts,
     .userns_mounts = kUbuntuUsernsMounts},
    {.name = "unmanaged", .tty_directory = "lxc", .dropped = ""},
};

}  // namespace

const OsTypeDefaults* find_os_type(std::string_view name) {
  const auto* found = std::find_if(std::begin(kOsTypes), std::end(kOsTypes),
                                   [name](const auto& row) { return row.name == name; });
  return found == std::end(kOsTypes) ? nullptr : found;
}

}  // namespace hutch::config
