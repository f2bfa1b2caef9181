# Made by pct; overwritten when the container starts.
profile "lxc-101_</var/lib/lxc>" flags=(attach_disconnected,mediate_deleted) {
  # Everything that needs no closer look, and the container's own processes.
  capability,
  dbus,
  file,
  network,
  umount,
  signal (receive),
  signal peer="lxc-101_</var/lib/lxc>",
  ptrace (readby, tracedby),
  ptrace peer="lxc-101_</var/lib/lxc>",

  # File systems without access to the host's state, anywhere.
  mount fstype=tmpfs,
  mount fstype=hugetlbfs,
  mount fstype=mqueue,
  mount fstype=fuse,
  mount fstype=fuse.*,

  # Views of the kernel, where they belong.
  mount fstype=proc -> /proc/,
  mount fstype=sysfs -> /sys/,
  mount fstype=binfmt_misc -> /proc/sys/fs/binfmt_misc/,
  mount fstype=efivarfs -> /sys/firmware/efi/efivars/,
  mount fstype=fusectl -> /sys/fs/fuse/connections/,
  mount fstype=securityfs -> /sys/kernel/security/,
  mount fstype=debugfs -> /sys/kernel/debug/,
  mount options=(rw, remount) -> /sys/,
  mount options=(rw, remount, nosuid, nodev, noexec) -> /sys/,
  mount options=(ro, remount) -> /sys/fs/cgroup/,
  mount options=(ro, remount, nosuid, nodev, noexec) -> /sys/fs/cgroup/,

  # Propagation, anywhere.
  mount options=(rw, make-slave) -> /{,**},
  mount options=(rw, make-rslave) -> /{,**},
  mount options=(rw, make-shared) -> /{,**},
  mount options=(rw, make-rshared) -> /{,**},
  mount options=(rw, make-private) -> /{,**},
  mount options=(rw, make-rprivate) -> /{,**},
  mount options=(rw, make-unbindable) -> /{,**},
  mount options=(rw, make-runbindable) -> /{,**},

  # Binding and moving what is outside of the kernel's trees.
  mount options=(rw, bind) /{[^dps/]*,d,d[^e/]*,de,de[^v/]*,dev[^/]*,p,p[^r/]*,pr,pr[^o/]*,pro,pro[^c/]*,proc[^/]*,s,s[^y/]*,sy,sy[^s/]*,sys[^/]*}{,/**},
  mount options=(rw, bind) /dev/.{[^l/]*,l,l[^x/]*,lx,lx[^c/]*,lxc[^/]*}{,/**},
  mount options=(rw, rbind) /{[^dps/]*,d,d[^e/]*,de,de[^v/]*,dev[^/]*,p,p[^r/]*,pr,pr[^o/]*,pro,pro[^c/]*,proc[^/]*,s,s[^y/]*,sy,sy[^s/]*,sys[^/]*}{,/**},
  mount options=(rw, move) /{[^dps/]*,d,d[^e/]*,de,de[^v/]*,dev[^/]*,p,p[^r/]*,pr,pr[^o/]*,pro,pro[^c/]*,proc[^/]*,s,s[^y/]*,sy,sy[^s/]*,sys[^/]*}{,/**},
  mount options=(rw, move) /dev/.{[^l/]*,l,l[^x/]*,lx,lx[^c/]*,lxc[^/]*}{,/**},

  # What systemd tries on its way up or down; refused without a log entry.
  deny mount options=(ro, remount) -> /,
  deny mount options=(ro, remount, silent) -> /,
  deny mount fstype=debugfs -> /var/lib/ureadahead/debugfs/,

  # State of the host behind /proc and /sys.
  deny /proc/bus/** wklx,
  deny /proc/sys/fs/{[^b/]*,b,b[^i/]*,bi,bi[^n/]*,bin,bin[^f/]*,binf,binf[^m/]*,binfm,binfm[^t/]*,binfmt,binfmt[^_/]*,binfmt_,binfmt_[^m/]*,binfmt_m,binfmt_m[^i/]*,binfmt_mi,binfmt_mi[^s/]*,binfmt_mis,binfmt_mis[^c/]*,binfmt_misc[^/]*}{,/**} wklx,
  deny /proc/kcore mrwklx,
  deny /proc/sysrq-trigger mrwklx,
  deny /proc/acpi/** mrwklx,
  deny /sys/firmware/efi/efivars/** mrwklx,
  deny /sys/kernel/debug/** mrwklx,
  deny /sys/kernel/security/** wklx,

  # Making mounts read-only, anywhere.
  mount options=(ro, remount, bind),
  mount options=(ro, remount, bind, noatime),
  mount options=(ro, remount, bind, strictatime),
  mount options=(ro, remount, bind, nodev),
  mount options=(ro, remount, bind, nodev, noatime),
  mount options=(ro, remount, bind, nodev, strictatime),
  mount options=(ro, remount, bind, nosuid),
  mount options=(ro, remount, bind, nosuid, noatime),
  mount options=(ro, remount, bind, nosuid, strictatime),
  mount options=(ro, remount, bind, nodev, nosuid),
  mount options=(ro, remount, bind, nodev, nosuid, noatime),
  mount options=(ro, remount, bind, nodev, nosuid, strictatime),
  mount options=(ro, remount, bind, noexec),
  mount options=(ro, remount, bind, noexec, noatime),
  mount options=(ro, remount, bind, noexec, strictatime),
  mount options=(ro, remount, bind, nodev, noexec),
  mount options=(ro, remount, bind, nodev, noexec, noatime),
  mount options=(ro, remount, bind, nodev, noexec, strictatime),
  mount options=(ro, remount, bind, nosuid, noexec),
  mount options=(ro, remount, bind, nosuid, noexec, noatime),
  mount options=(ro, remount, bind, nosuid, noexec, strictatime),
  mount options=(ro, remount, bind, nodev, nosuid, noexec),
  mount options=(ro, remount, bind, nodev, nosuid, noexec, noatime),
  mount options=(ro, remount, bind, nodev, nosuid, noexec, strictatime),

  # Unix sockets within the container, and answers from anywhere.
  unix (receive),
  unix peer=(label="lxc-101_</var/lib/lxc>"),

  # Its own view of the cgroups.
  mount fstype=cgroup -> /sys/fs/cgroup/{,**},
  mount fstype=cgroup2 -> /sys/fs/cgroup/{,**},

  # Containers inside; the spare proc and sysfs exist only to be seen by the kernel.
  pivot_root,
  ptrace,
  signal,
  mount,
  deny /dev/.lxc/{proc,sys}/** rw,
  change_profile -> "lxc-101_</var/lib/lxc>",

  # The user namespace limits these already.
  pivot_root,
  mount fstype=binfmt_misc,
  mount options=(rw, bind),
  mount options=(rw, rbind),
  mount options=(rw, move),
  mount options=(ro, remount),
  mount options=(ro, remount, nosuid, nodev, noexec),

  # What systemd sets up for its units: credentials, and a root of their own.
  mount fstype=ramfs,
  mount fstype=proc -> /run/systemd/{unit-root,mount-rootfs}/proc/,
  mount -> /dev/shm/,
}
