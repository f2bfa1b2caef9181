#pragma once

// The policies that containers get by default (lxc-security: shipped policy and PVE additions).
namespace hutch::seccomp {

inline constexpr const char* common_policy =
    "2\n"
    "denylist\n"
    "reject_force_umount  # comment\n"
    "[all]\n"
    "kexec_load errno 1\n"
    "open_by_handle_at errno 1\n"
    "init_module errno 1\n"
    "finit_module errno 1\n"
    "delete_module errno 1\n";

inline constexpr const char* unprivileged_policy =
    "2\n"
    "denylist\n"
    "reject_force_umount  # comment\n"
    "[all]\n"
    "kexec_load errno 1\n"
    "open_by_handle_at errno 1\n"
    "init_module errno 1\n"
    "finit_module errno 1\n"
    "delete_module errno 1\n"
    "ioctl errno 1 [1,0x9400,&=,0xff00]\n"
    "keyctl errno 38\n"
    "socket errno 97 [0,38,==]\n";

}  // namespace hutch::seccomp
