# shellcheck shell=bash
# Sourced inside a test machine, before the command: what Debian's own boot would have set up.
# Expects VM_TOOLS (unpacked packages), VM_CGROUP (unified or hybrid).

vm_fail() {
  echo "vm: $*" >&2
  exit 125
}

# The kernel calls /sbin/modprobe; a host that is itself a container or a cloud image may have none.
vm_modules() {
  if [ ! -x /sbin/modprobe ]; then
    find "$VM_TOOLS" -name 'libkmod.so.2*' -exec cp -a -t /usr/lib {} +
    cp "$VM_TOOLS/bin/kmod" /usr/bin/kmod
    ln -s /usr/bin/kmod /usr/sbin/modprobe
    ldconfig
    modprobe --version >/dev/null || vm_fail "cannot set up modprobe"
  fi
  # Device nodes whose first use loads their module (/dev/loop-control, /dev/fuse, /dev/net/tun).
  local kind mode major minor path
  while read -r path kind mode major minor; do
    [ -e "$path" ] && continue
    mkdir -p "${path%/*}"
    mknod -m "$mode" "$path" "$kind" "$major" "$minor"
  done < <(awk '$1 !~ /^#/ && $3 ~ /^[cb][0-9]+:[0-9]+$/ {
      split(substr($3, 2), number, ":")
      print "/dev/" $2, substr($3, 1, 1), $2 ~ /^(fuse|net\/tun)$/ ? "0666" : "0600", number[1], number[2]
    }' "/lib/modules/$(uname -r)/modules.devname")
}

vm_mount() { mount -t "$1" -o "nosuid,nodev,noexec$3" "$1" "$2" || vm_fail "cannot mount $1 on $2"; }

vm_cgroups() {
  local root=/sys/fs/cgroup controller
  if [ "$VM_CGROUP" = unified ]; then
    vm_mount cgroup2 "$root" ,nsdelegate,memory_recursiveprot
    return
  fi
  mount -t tmpfs -o mode=755 cgroup "$root" || vm_fail "cannot mount a tmpfs on $root"
  while read -r controller; do
    mkdir "$root/$controller"
    if ! mount -t cgroup -o "nosuid,nodev,noexec,$controller" cgroup "$root/$controller" 2>/dev/null; then
      rmdir "$root/$controller"
      echo "vm: this kernel has no '$controller' on cgroup version 1" >&2
    fi
  done < <(awk '$1 !~ /^#/ && $4 == 1 { print $1 }' /proc/cgroups)
  mkdir "$root/systemd" "$root/unified"
  mount -t cgroup -o nosuid,nodev,noexec,none,name=systemd cgroup "$root/systemd" || vm_fail "cannot mount systemd's group"
  vm_mount cgroup2 "$root/unified" ,nsdelegate
}

vm_prepare() {
  local link
  for link in fd:/proc/self/fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
    [ -e "/dev/${link%%:*}" ] || ln -s "${link#*:}" "/dev/${link%%:*}"
  done
  vm_modules
  mkdir -p /dev/mqueue /run/lock
  vm_mount mqueue /dev/mqueue ''
  vm_mount securityfs /sys/kernel/security ''
  vm_mount bpf /sys/fs/bpf ''
  vm_cgroups
  ip link set lo up
  # Only a machine without memory panics; a container that meets its own limit does not count.
  echo 1 >/proc/sys/vm/panic_on_oom
  echo "3 4 1 3" >/proc/sys/kernel/printk
  echo vm >/proc/sys/kernel/hostname
}

vm_prepare
