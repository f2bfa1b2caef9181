#!/usr/bin/env bash
# The supervisors of the pct that is built, by their effects: hardly any memory; cleaning up and restarting with
# the program file gone, as after an update of the package while containers run.
#
#   supervisor_test.sh PCT
#
# Exit status 0: passed; 77: skipped, with a line "probe: reason"; anything else: failed.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/../../scripts/lib/common.sh"

readonly SKIP=77 LIMIT=200 # kB
BUILT=$(readlink -f "${1:?supervisor_test.sh PCT}")
VMID=$((700000000 + $$ % 1000000))
SCRATCH=''

skip() {
  echo "probe: $1"
  exit "$SKIP"
}

clean_up() {
  local status=$?
  trap - EXIT
  if [ -n "$SCRATCH" ]; then
    "$BUILT" stop "$VMID" >/dev/null 2>&1 || true
    rm -rf --one-file-system "$SCRATCH" || status=1
  fi
  exit "$status"
}

# within_seconds N CONDITION...
within_seconds() {
  local tries=$(($1 * 50))
  shift
  until "$@"; do
    [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 0.02
  done
}

record() { awk -v key="$1" '$1 == key { print $2 }' "$HUTCH_ROOT/run/hutch/$VMID/state"; }
is_gone() { [ ! -e "$HUTCH_ROOT/run/hutch/$VMID" ]; }
has_been_restarted() { [ -e "$SCRATCH/rootfs/tmp/second" ]; }
# A name of its own: the file is replaced by rename, so that the old one is deleted while it runs.
install_program() { cp "$1" "$SCRATCH/pct.new" && mv "$SCRATCH/pct.new" "$SCRATCH/pct"; }

prepare() {
  [ "$(id -u)" -eq 0 ] || skip "not root"
  [ -x /bin/busybox ] || skip "no static busybox at /bin/busybox"
  SCRATCH=$(mktemp -d /tmp/hutch-supervisor.XXXXXX)
  chmod 0711 "$SCRATCH"
  export HUTCH_ROOT=$SCRATCH/root
  local configs directory
  configs=$HUTCH_ROOT/etc/pve/nodes/$(hostname -s)/lxc
  for directory in bin sbin proc sys dev etc tmp; do mkdir -p "$SCRATCH/rootfs/$directory"; done
  cp /bin/busybox "$SCRATCH/rootfs/bin/"
  ln -s busybox "$SCRATCH/rootfs/bin/sh"
  # The first time it runs until told to end; with /tmp/reboot it asks for a restart and then runs on.
  cat >"$SCRATCH/rootfs/sbin/init" <<'INIT'
#!/bin/sh
if [ -e /tmp/first ]; then
  busybox touch /tmp/second
else
  busybox touch /tmp/first
fi
while [ ! -e /tmp/end ]; do
  if [ -e /tmp/reboot ]; then
    busybox rm -f /tmp/reboot
    busybox reboot -f
  fi
  busybox usleep 20000
done
INIT
  chmod 0755 "$SCRATCH/rootfs/sbin/init"
  chown -R 100000:100000 "$SCRATCH/rootfs"
  mkdir -p "$configs"
  printf 'arch: amd64\nhostname: supervised\nostype: unmanaged\nunprivileged: 1\nrootfs: %s\n' \
    "$SCRATCH/rootfs" >"$configs/$VMID.conf"
}

check_memory() {
  local supervisor size
  supervisor=$(record supervisor)
  is_small() {
    size=$(awk '$1 == "Pss:" { print $2 }' "/proc/$supervisor/smaps_rollup")
    [ "$size" -le "$LIMIT" ]
  }
  within_seconds 5 is_small || die "the supervisor needs $size kB"
  echo "supervisor: $size kB"
}

trap clean_up EXIT
prepare

install_program "$BUILT"
"$SCRATCH/pct" start "$VMID"
check_memory
install_program /bin/false
touch "$SCRATCH/rootfs/tmp/reboot"
within_seconds 10 has_been_restarted || die "the container was not restarted"
check_memory
touch "$SCRATCH/rootfs/tmp/end"
within_seconds 10 is_gone || die "the supervisor has not cleaned up"
echo "passed"
