#!/usr/bin/env bash
# Config lines for mounts and devices as people share them, started for real through pct: each does what it is for.
#
#   recipes_test.sh PCT
#
# Exit status 0: passed; 77: skipped, with a line "probe: reason"; anything else: failed.
set -euo pipefail

readonly SKIP=77 FIRST=2300
PCT=$(readlink -f "${1:?recipes_test.sh PCT}")
SCRATCH=''
DEVICES="/dev/hutch-recipes-$$"
vmid=$FIRST
failures=0

skip() {
  echo "probe: $1"
  exit "$SKIP"
}

clean_up() {
  local status=$? each
  trap - EXIT
  if [ -n "$SCRATCH" ]; then
    for ((each = FIRST; each <= vmid; each++)); do "$PCT" stop "$each" >/dev/null 2>&1 || true; done
    rm -rf --one-file-system "$SCRATCH" "$DEVICES" || status=1
  fi
  exit "$status"
}

# make_rootfs DIRECTORY OWNER
make_rootfs() {
  local directory applet
  for directory in bin sbin proc sys dev etc tmp mnt root lib; do mkdir -p "$1/$directory"; done
  cp /bin/busybox "$1/bin/"
  for applet in sh sleep cat ls stat id mount umount touch mkdir grep head echo test readlink wc; do
    ln -s busybox "$1/bin/$applet"
  done
  chown -hR "$2:$2" "$1"
}

# start NAME KIND: with the config lines of standard input. KIND is u (unprivileged), p (privileged), or 'own', for
# a container whose lines say all of it.
start() {
  vmid=$((vmid + 1))
  local config=$CONFIGS/$vmid.conf
  {
    printf 'arch: amd64\nostype: unmanaged\nhostname: recipe\nconsole: 0\nlxc.init.cmd: /bin/sleep 1000\n'
    case $2 in
      u) printf 'unprivileged: 1\nrootfs: %s/u\n' "$SCRATCH" ;;
      p) printf 'rootfs: %s/p\n' "$SCRATCH" ;;
      *) ;;
    esac
    cat
  } >"$config"
  echo "recipe: $1"
  if ! "$PCT" start "$vmid" 2>"$SCRATCH/err"; then
    echo "  does not start: $(cat "$SCRATCH/err")" >&2
    failures=$((failures + 1))
  fi
}

# gives SCRIPT WANTED: what the script says inside
gives() {
  local said
  said=$("$PCT" exec "$vmid" -- /bin/sh -c "$1" 2>&1) || true
  [ "$said" = "$2" ] && return
  printf '  %s\n  gives:  %s\n  wanted: %s\n' "$1" "$said" "$2" >&2
  failures=$((failures + 1))
}

on_the_host() {
  local said
  said=$(eval "$1" 2>&1) || true
  [ "$said" = "$2" ] && return
  printf '  host: %s\n  gives:  %s\n  wanted: %s\n' "$1" "$said" "$2" >&2
  failures=$((failures + 1))
}

# Nodes that everybody may use, as udev makes them on most hosts.
make_devices() {
  mkdir -p "$DEVICES/net"
  mknod -m 0666 "$DEVICES/card0" c 1 5
  chown 0:44 "$DEVICES/card0"
  mknod -m 0666 "$DEVICES/net/tun" c 10 200
  mknod -m 0666 "$DEVICES/fuse" c 10 229
}

# What the driver says to a read of a device that was not set up shows that it was opened.
readonly TUN_OPENS='cat /dev/net/tun 2>&1 | grep -c "bad state"'
readonly FUSE_OPENS='cat /dev/fuse 2>&1 | grep -c "not permitted"'

devices() {
  local kind
  for kind in u p; do
    if [ -c /dev/net/tun ]; then
      start "TUN ($kind)" $kind <<C
lxc.cgroup2.devices.allow: c 10:200 rwm
lxc.mount.entry: $DEVICES/net/tun dev/net/tun none bind,create=file
C
      gives "$TUN_OPENS" 1
      start "TUN as a passed device ($kind)" $kind <<<'dev0: /dev/net/tun,mode=0666'
      gives "$TUN_OPENS" 1
    fi
    start "what is not there is optional ($kind)" $kind <<'C'
lxc.cgroup2.devices.allow: c 226:0 rwm
lxc.mount.entry: /dev/hutch-no-dri dev/dri none bind,optional,create=dir
lxc.mount.entry: /dev/hutch-no-tty dev/ttyUSB0 none bind,optional,create=file
C
    gives 'echo runs' runs
  done
  if [ -c /dev/net/tun ]; then
    start "TUN, the whole directory" u <<<"lxc.mount.entry: $DEVICES/net dev/net none bind,create=dir"
    gives "$TUN_OPENS" 1
    start "TUN, old spelling" p <<'C'
lxc.cgroup.devices.allow: c 10:200 rwm
lxc.mount.entry: /dev/net/tun dev/net/tun none bind,create=file
C
    gives "$TUN_OPENS" 1
  fi
  if [ -c /dev/fuse ]; then
    start "FUSE" p <<<'features: fuse=1'
    gives "$FUSE_OPENS" 1
    start "FUSE, by hand" u <<<"lxc.mount.entry: $DEVICES/fuse dev/fuse none bind,create=file"
    gives "$FUSE_OPENS" 1
  fi
  start "a GPU's directory with its group passed through" own <<C
rootfs: $SCRATCH/u
lxc.cgroup2.devices.allow: c 1:* rwm
lxc.mount.entry: $DEVICES dev/dri none bind,optional,create=dir,mode=0666
lxc.idmap: u 0 100000 65536
lxc.idmap: g 0 100000 44
lxc.idmap: g 44 44 1
lxc.idmap: g 45 100045 65491
C
  gives 'stat -c "%g %a" /dev/dri/card0; head -c 2 /dev/dri/card0 | wc -c' $'44 666\n2'
}

docker() {
  start "everything off" p <<'C'
lxc.apparmor.profile: unconfined
lxc.cgroup2.devices.allow: a
lxc.cap.drop:
lxc.mount.auto: "proc:rw sys:rw"
lxc.mount.entry: /dev/kmsg dev/kmsg none bind,optional,create=file
lxc.mount.entry: /lib/modules lib/modules none bind,ro,optional,create=dir
C
  gives 'test -c /dev/kmsg && echo node; touch /proc/sys/kernel/hostname && echo writable' $'node\nwritable'
  [ -d /lib/modules ] || return 0
  gives 'touch /lib/modules/x 2>&1 | grep -c "Read-only"' 1
}

shares() {
  start "shares, tmpfs and overlay" u <<C
lxc.mount.entry: $SCRATCH/media mnt/media none bind,create=dir 0 0
lxc.mount.entry: $SCRATCH/media mnt/iso none bind,ro,optional,create=dir 0 0
lxc.mount.entry: $SCRATCH/media srv/data none rbind,create=dir,idmap=container 0 0
lxc.mount.entry: tmpfs tmp tmpfs rw,nosuid,nodev,size=512k,mode=1777,create=dir 0 0
lxc.mount.entry: overlay opt/app overlay lowerdir=$SCRATCH/media,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work,create=dir 0 0
C
  gives 'stat -c %u /mnt/media/file /srv/data/file' $'65534\n1000'
  gives 'touch /mnt/iso/x 2>&1 | grep -c "Read-only"' 1
  gives 'mount -o remount,bind,rw /mnt/iso 2>/dev/null && echo writable' ''
  gives 'stat -c %a /tmp; touch /srv/data/new /opt/app/upper && echo ok' $'1777\nok'
  on_the_host "stat -c %u $SCRATCH/media/new $SCRATCH/upper/upper" $'0\n100000'
  start "one host user passed through" own <<C
rootfs: $SCRATCH/u
mp0: $SCRATCH/media,mp=/media
lxc.idmap: u 0 100000 1000
lxc.idmap: u 1000 1000 1
lxc.idmap: u 1001 101001 64535
lxc.idmap: g 0 100000 1000
lxc.idmap: g 1000 1000 1
lxc.idmap: g 1001 101001 64535
C
  gives 'stat -c %u:%g /media/file' 1000:1000
  start "one user's ids on disk" u <<<"mp0: $SCRATCH/media,mp=/media,idmap=u:33:1000:1;g:33:1000:1"
  gives 'stat -c %u:%g /media/file' 33:33
}

root_file_systems() {
  start "a directory, the key of LXC" own <<C
unprivileged: 1
lxc.rootfs.path: dir:$SCRATCH/u
lxc.rootfs.options: noatime
C
  gives 'grep " / " /proc/mounts | grep -c noatime' 1
  start "an overlay over a system of root's" own <<C
unprivileged: 1
lxc.rootfs.path: overlay:$SCRATCH/p:$SCRATCH/delta/delta0
C
  gives 'echo mine >/root/file; stat -c %u / /root/file' $'0\n0'
  on_the_host "cat $SCRATCH/delta/delta0/root/file; ls $SCRATCH/p/root" mine
  start "an old overlayfs, privileged" own <<C
lxc.rootfs: overlayfs:$SCRATCH/p:$SCRATCH/delta/delta1
C
  gives 'echo mine >/root/file && cat /root/file' mine
  truncate -s 32M "$SCRATCH/root.img"
  mkfs.ext4 -q -d "$SCRATCH/p" "$SCRATCH/root.img"
  start "an image" own <<<"lxc.rootfs.path: loop:$SCRATCH/root.img"
  gives 'grep " / " /proc/mounts | grep -c ext4' 1
  "$PCT" stop "$vmid"
  on_the_host "for try in 1 2 3 4 5 6 7 8 9; do losetup -j $SCRATCH/root.img | grep . || break; sleep 0.1; done" ''
}

[ "$(id -u)" -eq 0 ] || skip "not root"
[ -x /bin/busybox ] || skip "no static busybox at /bin/busybox"
SCRATCH=$(mktemp -d /tmp/hutch-recipes.XXXXXX)
trap clean_up EXIT
chmod 0755 "$SCRATCH"
export HUTCH_ROOT=$SCRATCH/root
CONFIGS=$HUTCH_ROOT/etc/pve/nodes/$(hostname -s)/lxc
mkdir -p "$CONFIGS" "$SCRATCH"/{media,upper,work,delta}
make_rootfs "$SCRATCH/u" 100000
make_rootfs "$SCRATCH/p" 0
echo data >"$SCRATCH/media/file"
chown 1000:1000 "$SCRATCH/media/file"
chmod 0777 "$SCRATCH"/{media,upper}
chown 100000:100000 "$SCRATCH/upper"
make_devices

devices
docker
shares
root_file_systems
[ "$failures" -eq 0 ] || { echo "$failures failures" >&2; exit 1; }
