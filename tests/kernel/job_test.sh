#!/usr/bin/env bash
# The main job with a real Debian container, through the command line alone: create, start, look, run, shut
# down, destroy; then nothing may be left.
#
#   job_test.sh PCT 12|13
#
# Exit status 0: passed; 77: skipped, with a line "probe: reason"; anything else: failed.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/host_state.sh
. "$HUTCH_TOP/scripts/lib/host_state.sh"
# shellcheck source=scripts/lib/systemd.sh
. "$HUTCH_TOP/scripts/lib/systemd.sh"

readonly SKIP=77 GUEST=10.213.77.2 HOST=10.213.77.1
PCT=$(readlink -f "${1:?job_test.sh PCT 12|13}")
RELEASE=${2:?job_test.sh PCT 12|13}
# Own numbers: several runs, and containers of the host, may exist beside this one.
VMID=$((800000000 + $$ % 1000000))
BRIDGE=hj$(($$ % 1000000))
SCRATCH='' MADE_BRIDGE=no

skip() {
  echo "probe: $1"
  exit "$SKIP"
}

pct() { "$PCT" "$@"; }

clean_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  if [ -n "$SCRATCH" ]; then
    if [ -n "$(find "$SCRATCH/root/etc/pve" -name "$VMID.conf" 2>/dev/null)" ]; then
      pct unlock "$VMID" >/dev/null 2>&1 || true
      pct destroy "$VMID" --force 1 || status=1
    fi
    [ "$MADE_BRIDGE" = no ] || ip link del "$BRIDGE" || status=1
    rm -rf --one-file-system "$SCRATCH" || status=1
  fi
  exit "$status"
}

# expect WHAT PATTERN WORD...: the command succeeds and its output has the pattern.
expect() {
  local what=$1 pattern=$2 output
  shift 2
  output=$("$@" 2>&1) || die "$what: '$*' ended with status $?: $output"
  grep -Eq -- "$pattern" <<<"$output" || die "$what: the output of '$*' has no '$pattern': $output"
}

refuse() {
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then die "$what: '$*' succeeded"; fi
}

prepare() {
  [ "$(id -u)" -eq 0 ] || skip "not root"
  SCRATCH=$(mktemp -d /tmp/hutch-job.XXXXXX)
  # The container's root, an unprivileged id, has to pass through to its rootfs.
  chmod 0711 "$SCRATCH"
  export HUTCH_ROOT=$SCRATCH/root
  TEMPLATE=debian-$RELEASE-standard_$(dpkg --print-architecture).tar.zst
  local status=0
  "$HUTCH_TOP/scripts/make-template.sh" debian "$RELEASE" \
    "$HUTCH_ROOT/var/lib/vz/template/cache/$TEMPLATE" || status=$?
  [ "$status" -ne 3 ] || skip "no Debian mirror and no cached template"
  [ "$status" -eq 0 ] || die "make-template.sh ended with status $status"
  host_state "$SCRATCH/before"
  ip link add "$BRIDGE" type bridge
  MADE_BRIDGE=yes
  ip addr add "$HOST/24" dev "$BRIDGE"
  ip link set "$BRIDGE" up
}

check_booted() {
  local state
  wait_for_systemd "$VMID" || die "systemd inside does not come up"
  # As long as an emulated machine on a busy host may need for its boot.
  state=$(timeout 300 "$PCT" exec "$VMID" -- systemctl is-system-running --wait) || true
  [ "$state" = running ] && return 0
  pct exec "$VMID" -- systemctl --failed --no-legend --plain || true
  pct exec "$VMID" -- systemctl list-jobs --no-legend || true
  die "Debian $RELEASE is '$state', not 'running'; the units that failed are listed above"
}

check_network() {
  local attempt
  expect "address inside" "inet $GUEST/24" pct exec "$VMID" -- ip -4 addr show eth0
  for attempt in $(seq 20); do
    if ping -c 1 -W 1 "$GUEST" >/dev/null; then return 0; fi
    sleep 0.25
  done
  die "no answer from $GUEST after $attempt pings"
}

check_limits() {
  expect "cores" '^1$' pct exec "$VMID" -- nproc
  expect "cgroup2 inside" '^cgroup2fs$' pct exec "$VMID" -- stat -f -c %T /sys/fs/cgroup
  expect "unprivileged" '^ +0 +100000 +65536$' pct exec "$VMID" -- cat /proc/self/uid_map
}

# One of two starts at the same time wins, the other one is told that the container runs.
start_twice_at_once() {
  local first second pid statuses=()
  pct start "$VMID" >"$SCRATCH/first" 2>&1 & first=$!
  pct start "$VMID" >"$SCRATCH/second" 2>&1 & second=$!
  for pid in "$first" "$second"; do
    if wait "$pid"; then statuses+=(0); else statuses+=("$?"); fi
  done
  [ "$(printf '%s\n' "${statuses[@]}" | sort -n | tr '\n' ' ')" = "0 255 " ] ||
    die "two starts at once ended with ${statuses[*]}: $(cat "$SCRATCH/first" "$SCRATCH/second")"
  grep -q "CT $VMID already running" "$SCRATCH/first" "$SCRATCH/second" || die "the loser was not told why"
}

check_left_nothing() {
  ip link del "$BRIDGE"
  MADE_BRIDGE=no
  local attempt
  for attempt in $(seq 20); do
    host_state "$SCRATCH/after"
    if compare_host_state "$SCRATCH/before" "$SCRATCH/after" >"$SCRATCH/differences"; then return 0; fi
    sleep 0.25
  done
  cat "$SCRATCH/differences"
  die "something was left behind ($attempt looks)"
}

main() {
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  prepare
  pct create "$VMID" "local:vztmpl/$TEMPLATE" --hostname web --memory 512 --swap 0 --cores 1 --cpulimit 0.5 \
    --unprivileged 1 --net0 "name=eth0,bridge=$BRIDGE,ip=$GUEST/24,gw=$HOST"
  refuse "a second container with the same vmid" pct create "$VMID" "local:vztmpl/$TEMPLATE"
  start_twice_at_once
  refuse "another start" pct start "$VMID"
  refuse "destroying a running container" pct destroy "$VMID"
  expect "list" "^$VMID +running .*web" pct list
  expect "status" '^status: running$' pct status "$VMID" --verbose
  check_booted
  check_network
  check_limits
  expect "enter" '^web$' bash -c "echo hostname | '$PCT' enter $VMID"
  expect "config" '^hostname: web$' pct config "$VMID"
  expect "plan" . pct plan "$VMID"
  pct shutdown "$VMID"
  expect "status" '^status: stopped$' pct status "$VMID"
  refuse "stopping a stopped container" pct stop "$VMID"
  pct destroy "$VMID"
  [ -z "$(find "$HUTCH_ROOT/etc/pve" -name "$VMID.conf")" ] || die "the config outlived destroy"
  [ -z "$(ls -A "$HUTCH_ROOT/var/lib/vz/images/$VMID" 2>/dev/null)" ] || die "a volume outlived destroy"
  check_left_nothing
}

main "$@"
